use super::version;

#[test]
fn the_version_is_the_first_two_numbers_of_the_release() {
    for (release, expected) in [
        ("6.18.44-fc-v595\n", (6, 18)),
        ("6.1.0-13-amd64", (6, 1)),
        ("6.16-rc3", (6, 16)),
        ("7.0.0", (7, 0)),
        ("10", (10, 0)),
        ("", (0, 0)),
        ("unknown", (0, 0)),
    ] {
        assert_eq!(version(release), expected, "{release}");
    }
}
