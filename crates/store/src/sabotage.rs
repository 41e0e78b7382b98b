//! Faults that tests switch on to see that they would notice them. Only builds with the feature `sabotage` have this.

use std::{sync::OnceLock, time::Duration};

/// How long a commit takes longer: as long as on a disk that is worn out or shared with too many.
const SLOWER: Duration = Duration::from_millis(80);

static CHOSEN: OnceLock<String> = OnceLock::new();

/// Chooses a sabotage by name, once per process.
pub fn choose(name: &str) {
    CHOSEN.get_or_init(|| name.to_owned());
}

/// `slow_commit`: every commit waits for a slow disk.
pub(crate) async fn slow_commit() {
    if CHOSEN.get().is_some_and(|chosen| chosen == "slow_commit") {
        tokio::time::sleep(SLOWER).await;
    }
}
