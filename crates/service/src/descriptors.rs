//! File descriptors: each connection is one, and so is each open file.
use rustix::process::{Resource, getrlimit, setrlimit};

/// What is asked for where there is no limit.
const ENOUGH: u64 = 1 << 20;

/// As many as this process may have. The common 1024 are meant for programs that cannot use more,
/// and fewer than the connections of one listener.
pub(crate) fn allow_all() {
    let mut limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(ENOUGH);
    if limit.current.is_none_or(|now| now >= most) {
        return;
    }
    limit.current = Some(most);
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "file descriptors stay as few as they are");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_limit_is_raised_to_the_higher_one() {
        let mut limit = getrlimit(Resource::Nofile);
        let most = limit.maximum.unwrap_or(ENOUGH);
        // enough for every other test meanwhile
        limit.current = Some(most - 1);
        setrlimit(Resource::Nofile, limit).unwrap();
        allow_all();
        assert_eq!(getrlimit(Resource::Nofile).current, Some(most));
    }
}
