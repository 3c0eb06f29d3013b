//! A small siege: two inventory processes, kills in between, and every share kept.

use system_tests::siege::{Size, lay};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_oversold_and_every_share_is_kept_under_siege() {
    let tally = lay(Size { attempts: 3_000, besiegers: 12, kill_every: 1_000, seed: 7 }).await;
    assert!(tally.granted > 500 && tally.refused > 100 && tally.kills >= 2, "{tally:?}");
}
