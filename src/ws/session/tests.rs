use super::*;

const BYE: Option<CloseCode> = Some(CloseCode::NORMAL);

fn reached(steps: &[fn(&mut Session)]) -> Session {
    let mut session = Session::new();
    for step in steps {
        step(&mut session);
    }
    session
}

fn we_close(session: &mut Session) {
    assert_eq!(session.close(BYE), Some(SendClose(BYE)));
}

fn peer_closes(session: &mut Session) {
    session.peer_closed();
}

fn all() -> [Session; 4] {
    [
        reached(&[]),
        reached(&[we_close]),
        reached(&[peer_closes]),
        reached(&[we_close, peer_closes]),
    ]
}

#[test]
fn what_may_happen_in_each_state() {
    let table = all().map(|session| {
        (
            session.state(),
            session.may_begin_message(),
            session.may_finish_message(),
            session.answers_ping(),
            session.delivers_messages(),
            session.owes_close(),
        )
    });
    assert_eq!(
        table,
        [
            (State::Open, true, true, true, true, false),
            (State::CloseSent, false, false, true, true, false),
            (State::CloseReceived, false, true, false, false, true),
            (State::Done, false, false, false, false, false),
        ]
    );
}

#[test]
fn both_orders_end() {
    assert_eq!(reached(&[peer_closes, we_close]).state(), State::Done);
    assert_eq!(reached(&[we_close, peer_closes]).state(), State::Done);
    assert_eq!(
        reached(&[peer_closes, peer_closes]).state(),
        State::CloseReceived
    );
}

/// RFC 6455 §5.5.1: one Close from each side, whatever is asked for.
#[test]
fn we_close_once() {
    for (mut session, sends) in all().into_iter().zip([true, false, true, false]) {
        let before = session;
        assert_eq!(session.close(None).is_some(), sends);
        assert_eq!(session == before, !sends);
        assert_eq!(session.close(BYE), None);
        assert_eq!(session.fail(Error::InvalidUtf8), None);
    }
}

/// RFC 6455 §7.1.7: the code says what was wrong, and nothing more is waited for.
#[test]
fn failing_sends_the_code_and_is_done() {
    for (mut session, sends) in all().into_iter().zip([true, false, true, false]) {
        let close = sends.then_some(SendClose(Some(CloseCode::TOO_BIG)));
        assert_eq!(session.fail(Error::MessageTooBig), close);
        assert_eq!(session.state(), State::Done);
        assert_eq!(session.abandon(CloseCode::INTERNAL_ERROR), None);
    }
}

#[test]
fn a_peer_that_is_gone_gets_nothing() {
    for mut session in all() {
        session.peer_gone();
        assert_eq!(session.state(), State::Done);
        assert_eq!(session.close(BYE), None);
    }
}
