//! What is served and how it is coded, as options of the command line.

use std::path::PathBuf;

use clap::Args;
use longshore::Files;
#[cfg(feature = "gzip")]
use longshore::Server;

/// What is served, and how.
#[derive(Args, Debug)]
#[command(next_help_heading = "Content")]
pub(crate) struct ContentOptions {
    /// Serve the files beneath DIR under /static/ [none]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Answer with the names in a directory that has no index.html
    #[arg(long, requires = "root")]
    listing: bool,
    /// Serve files whose names start with a dot, too
    #[arg(long, requires = "root")]
    hidden_files: bool,
    /// Leave siblings NAME.br and NAME.gz alone; otherwise clients that accept them get those
    #[arg(long, requires = "root")]
    no_precompressed: bool,
    /// Cache-Control of files, as max-age=60 [none]
    #[arg(long, value_name = "VALUE", requires = "root", value_parser = cache_control)]
    cache_control: Option<String>,
    /// Compress nothing; otherwise contents are compressed for clients that accept gzip
    #[cfg(feature = "gzip")]
    #[arg(long)]
    no_compress: bool,
    /// Compress contents of at least N bytes
    #[cfg(feature = "gzip")]
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1024,
        conflicts_with = "no_compress"
    )]
    compress_bytes_min: usize,
    /// From 1, fast, to 9, small
    #[cfg(feature = "gzip")]
    #[arg(long, value_name = "LEVEL", default_value_t = 4, conflicts_with = "no_compress",
          value_parser = clap::value_parser!(u32).range(1..=9))]
    compress_level: u32,
}

fn cache_control(value: &str) -> Result<String, String> {
    if value.chars().any(char::is_control) {
        return Err("must hold no control character".to_owned());
    }
    Ok(value.to_owned())
}

impl ContentOptions {
    /// Opens the root of the static files, if there is one.
    pub(crate) fn files(&self) -> Result<Option<Files>, String> {
        let Some(root) = &self.root else {
            return Ok(None);
        };
        let files = Files::open(root).map_err(|error| error.to_string())?;
        Ok(Some(
            files
                .listing(self.listing)
                .hidden(self.hidden_files)
                .precompressed(!self.no_precompressed)
                .cache_control(self.cache_control.clone()),
        ))
    }

    /// Applies what concerns every route.
    #[cfg(feature = "gzip")]
    pub(crate) fn apply(&self, server: Server) -> Server {
        if self.no_compress {
            return server;
        }
        server.compression(longshore::Compression {
            bytes_min: self.compress_bytes_min,
            level: self.compress_level,
            ..longshore::Compression::default()
        })
    }
}
