//! Lesson 9.

use crate::lesson::Lesson;

#[test]
fn a_thread_for_each_connection_costs_memory_and_switches_and_a_ring_saves_calls() {
    let lesson = Lesson::run("models");
    lesson.concludes();
    let of = |finding: &str| lesson.number(finding);
    // A thread for each connection, or a few for all.
    assert!(of("threads_threads") > of("connections"));
    assert!(of("epoll_threads") < of("connections") / 10.0);
    assert!(of("threads_resident_bytes_each") > of("epoll_resident_bytes_each"));
    assert!(of("threads_switches_each") > of("epoll_switches_each"));
    // recv and send for each request, and a share of a wait.
    assert!(of("threads_calls_each") >= 2.0);
    assert!(of("epoll_calls_each") >= 2.0);
    // The server's own calls are shown, for one connection of each model.
    assert!(lesson.calls("accept4(") >= 2 && lesson.calls("epoll_wait(") >= 1);
    assert!(lesson.calls("recv(") >= 4 && lesson.calls("close(") >= 2);
    // Where io_uring is refused, the rest of the lesson still runs.
    if lesson.whole() {
        assert!(lesson.calls("io_uring_enter(") >= 1);
        assert!(lesson.calls("[sqe] recv(") >= 1 && lesson.calls("[cqe] recv ") >= 1);
        assert!(of("uring_calls_each") < of("epoll_calls_each") / 2.0);
        assert!(of("threads_resident_bytes_each") > of("uring_resident_bytes_each"));
    }
}
