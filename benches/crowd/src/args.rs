//! What is to be done.
#![forbid(unsafe_code)]

use std::net::SocketAddrV4;
use std::time::Duration;

pub(crate) const HELP: &str = "
crowd [--to 127.0.0.1:8091] [--path /ws] [--connections 1000] [--rate 40000] [--hold SECONDS] [--after SECONDS]
      [--broadcasts N] [--publish /publish] [--probe] [--pid PID] [--storm SECONDS]

--rate         connections that are begun in a second, at most
--hold         seconds to stay when all are open
--broadcasts   how often /publish is asked for, and a message awaited on every connection
--probe        one echo after the other on eight more connections, from the beginning to the end
--pid          the server's process: its memory and processor time are shown
--storm        no crowd: connect and close, again and again, for so many seconds
--after        seconds to wait when all are closed, to see what memory is given back";

pub(crate) struct Args {
    pub(crate) to: SocketAddrV4,
    pub(crate) path: String,
    pub(crate) connections: usize,
    pub(crate) rate: usize,
    pub(crate) hold: Duration,
    pub(crate) after: u64,
    pub(crate) broadcasts: usize,
    pub(crate) publish: String,
    pub(crate) probe: bool,
    pub(crate) pid: Option<u32>,
    pub(crate) storm: Option<Duration>,
}

pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Args, String> {
    let mut args = Args {
        to: SocketAddrV4::new([127, 0, 0, 1].into(), 8091),
        path: "/ws".to_owned(),
        connections: 1000,
        rate: 40_000,
        hold: Duration::ZERO,
        after: 0,
        broadcasts: 0,
        publish: "/publish".to_owned(),
        probe: false,
        pid: None,
        storm: None,
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} wants a value"));
        match word.as_str() {
            "--to" => args.to = number(&word, &value()?)?,
            "--path" => args.path = value()?,
            "--connections" => args.connections = number(&word, &value()?)?,
            "--rate" => args.rate = number(&word, &value()?)?,
            "--hold" => args.hold = Duration::from_secs(number(&word, &value()?)?),
            "--after" => args.after = number(&word, &value()?)?,
            "--broadcasts" => args.broadcasts = number(&word, &value()?)?,
            "--publish" => args.publish = value()?,
            "--probe" => args.probe = true,
            "--pid" => args.pid = Some(number(&word, &value()?)?),
            "--storm" => args.storm = Some(Duration::from_secs(number(&word, &value()?)?)),
            _ => return Err(format!("unknown option {word}")),
        }
    }
    Ok(args)
}

fn number<T: std::str::FromStr>(word: &str, text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("{word}: {text} is no value for it"))
}
