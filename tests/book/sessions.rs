//! Scripted sessions with a traced server.

pub(crate) fn run(name: &str) -> Result<String, String> {
    Err(format!("no session is called {name}"))
}
