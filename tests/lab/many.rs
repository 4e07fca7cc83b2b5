//! Lesson 17.

use crate::lesson::Lesson;

#[test]
fn a_silent_crowd_costs_memory_and_no_processor_time() {
    let lesson = Lesson::run("many");
    let connections = lesson.count("connections");
    assert!(connections < lesson.count("descriptors_max"));
    assert!(lesson.is("same_port_from_two_addresses"));
    assert!(lesson.count("epoll_descriptors") > connections);
    // Where io_uring is refused, the rest of the lesson still runs.
    let ring = lesson.count_if_any("uring_descriptors");
    let backends = if ring.is_some() {
        &["epoll", "uring"][..]
    } else {
        &["epoll"]
    };
    for backend in backends {
        let cpu = |what: &str| lesson.count(&format!("{backend}_{what}_cpu_us"));
        assert!(cpu("idle") * 10 < cpu("round"), "{backend}");
        // Far less than a stack, or than a buffer of its own, for each.
        let user = lesson.number(&format!("{backend}_user_bytes_each"));
        assert!(user < 4096.0, "{backend}: {user}");
        let sleeps = lesson.count(&format!("{backend}_idle_sleeps"));
        assert!(sleeps < connections / 10, "{backend}: {sleeps}");
    }
    assert!(ring.is_none_or(|descriptors| descriptors < connections / 10));
    lesson.concludes();
}
