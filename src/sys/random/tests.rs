use crate::sys::{Call, Count, Probe, Strace, getrandom};

#[test]
fn a_pool_is_filled_whole_and_never_the_same() {
    let count = &mut Count::new();
    let mut pools = [[0; 256]; 2];
    for pool in &mut pools {
        assert_eq!(getrandom(count, pool).unwrap(), 256);
    }
    assert_ne!(pools[0], pools[1]);
    let bytes = pools.concat();
    let different = (0..=u8::MAX).filter(|byte| bytes.contains(byte)).count();
    assert!(different > 128, "{different} of 256 values in 512 bytes");
    assert_eq!(getrandom(count, &mut []).unwrap(), 0);
    assert_eq!(count.counts().call("getrandom").calls, 3);
}

#[test]
fn a_trace_does_not_tell_the_bytes() {
    let call = Call::Getrandom {
        bytes: b"a secret",
        flags: 0,
    };
    let mut strace = Strace::new(Vec::new());
    strace.after(&call, Ok(8));
    let written = String::from_utf8(strace.into_output()).unwrap();
    assert!(
        written.contains("getrandom([8 bytes], 8, 0) = 8"),
        "{written}"
    );
    assert!(!written.contains("secret"));
    assert_eq!((call.stream_bytes(), call.moves_bytes()), (None, false));
}
