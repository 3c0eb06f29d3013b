//! A small siege: two inventory processes, kills in between, every share kept, and every unit accounted for.

use std::path::Path;

use system_tests::siege::{Size, lay};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_oversold_and_every_share_is_kept_under_siege() {
    let size = Size { attempts: 3_000, besiegers: 12, processes: 3, kill_every: 1_000, seed: 7 };
    let report = lay(size, Path::new(env!("CARGO_BIN_EXE_siege"))).await;
    let all = report.tally.all();
    assert!(all.granted > 1_000 && all.refused() > 100, "{report}");
    assert!(report.kills.values().sum::<usize>() >= 2, "{report}");
    for what in ["hold", "release", "order", "cancel", "ship", "till sale", "send off", "arrive", "count", "receive"] {
        assert!(report.tally.of(what).granted > 0, "nothing of {what}: {report}");
    }
}
