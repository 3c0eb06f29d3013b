//! Every event delivered twice, and the events of different orders and tellers in any order.

use rand::SeedableRng;
use rand::rngs::StdRng;
use system_tests::checks::all_sent;
use system_tests::queues::Queues;
use system_tests::{Deployment, Topology};

use crate::SETTINGS;
use crate::load::{Load, open, the_books_say};

/// The order in which events are delivered is drawn from this, and the same again in the next run.
const SEED: u64 = 618;

#[tokio::test(flavor = "multi_thread")]
async fn events_come_twice_and_in_any_order() {
    let mut deployment = Deployment::start(Topology::ProcessPerRole, &SETTINGS).await;
    let shop = open(&deployment).await;
    let mut random = StdRng::seed_from_u64(SEED);
    // Those who only listen are away while everything happens, so that all of it waits in their queues.
    for role in ["member", "rebate"] {
        assert!(deployment.process(role).terminate().success());
    }
    let sales = Load::start(&shop, 8).ends().await;
    all_sent(&deployment, &["order", "inventory"]).await;
    // Member tells of buyers, so that rebate hears of them long after everything else.
    for role in ["member", "rebate"] {
        let backing = deployment.backing().expect("there is a broker");
        let queues = Queues::connect(&backing.amqp, &backing.amqp_admin).await.expect("the broker is there");
        queues.repeat_and_shuffle(role, &mut random).await;
        deployment.process(role).start();
        deployment.ready().await;
    }
    the_books_say(&deployment, &shop, sales).await;
}
