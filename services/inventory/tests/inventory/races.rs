//! Many at once for little stock.

use std::sync::Arc;

use futures_util::future::join_all;
use inventory::app::Pool as Picture;
use inventory::app::reserve_stock::{Hold, HoldRules, Refusal, hold_request, reserve_stock};
use inventory::domain::Line;
use runtime::lifecycle::Lifecycle;
use serde_json::json;
use store::{BatchOptions, Batcher};

use crate::support::{Pool, code, order};

const RULES: HoldRules = HoldRules { max_units_per_buyer: 1_000 };

fn hold(pool: &Pool, lines: &[(&str, i64)]) -> Hold {
    let line = |(line_no, (sku, units)): (i32, &(&str, i64))| Line {
        line_no,
        sku: code(sku),
        quantity: (*units).try_into().unwrap(),
        parts: Vec::new(),
    };
    let lines = (1..).zip(lines).map(line).collect();
    let request = hold_request(code("tmall"), pool.service.test.store.now(), lines);
    Hold { request, buyer: None, ttl_seconds: 600 }
}

#[actix_web::test]
async fn sixty_four_transactions_race_for_the_last_unit_and_one_wins() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 1)]).await;
    let picture = Arc::new(Picture::new(pool.service.platform.zone, 1_000));
    let attempts = (0..64).map(|n| {
        // Every fourth attempt comes from another replica, with a picture of its own.
        let picture =
            if n % 4 == 0 { Arc::new(Picture::new(pool.service.platform.zone, 1_000)) } else { picture.clone() };
        let hold = hold(&pool, &[("A", 1)]);
        pool.service.test.store.transact("race", move |tx| {
            let results = reserve_stock(tx, &picture, RULES, &[&hold])?;
            Ok::<_, store::Error>(results.iter().filter(|it| it.is_ok()).count())
        })
    });
    let granted: Vec<usize> = join_all(attempts).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(granted.iter().sum::<usize>(), 1);
    assert_eq!(pool.balance("A", "S1").await, (1, 1, 0, 0));
    pool.is_proved().await;
}

#[derive(Debug)]
enum Refused {
    ByRule(Refusal),
    Failed(store::Error),
}

impl From<store::Error> for Refused {
    fn from(error: store::Error) -> Self {
        Self::Failed(error)
    }
}

#[actix_web::test]
async fn twenty_thousand_attempts_on_five_hundred_units_get_five_hundred() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 300), ("A", "S2", 200)]).await;
    let picture = Picture::new(pool.service.platform.zone, 1_000);
    let lifecycle = Lifecycle::new();
    let options = BatchOptions { name: "race", max_batch: 64, lanes: 2, rest: std::time::Duration::ZERO, queue: 100 };
    let batcher = Batcher::new(&pool.service.test.store, options, &lifecycle, move |tx, holds: &[Hold]| {
        let holds: Vec<&Hold> = holds.iter().collect();
        Ok(reserve_stock(tx, &picture, RULES, &holds)?.into_iter().map(|it| it.map_err(Refused::ByRule)).collect())
    });
    let buyers = (0..64).map(|buyer| {
        let (batcher, pool) = (batcher.clone(), &pool);
        async move {
            let mut granted = 0;
            for _ in (buyer..20_000).step_by(64) {
                match batcher.submit(hold(pool, &[("A", 1)])).await {
                    Ok(_) => granted += 1,
                    Err(Refused::ByRule(Refusal::Insufficient(_))) => {}
                    Err(Refused::ByRule(refusal)) => panic!("{refusal:?}"),
                    Err(Refused::Failed(error)) => panic!("{error}"),
                }
            }
            granted
        }
    });
    let granted: Vec<i64> = join_all(buyers).await;
    assert_eq!(granted.iter().sum::<i64>(), 500);
    assert_eq!(pool.balance("A", "S1").await, (300, 300, 0, 0));
    assert_eq!(pool.balance("A", "S2").await, (200, 200, 0, 0));
    pool.is_proved().await;
}

#[actix_web::test]
async fn holds_orders_and_adjustments_at_once_never_oversell_and_never_deadlock() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 40), ("B", "S1", 40), ("A", "S2", 40), ("B", "S2", 40)]).await;
    let holds = (0..60).map(|n| {
        let (first, second) = if n % 2 == 0 { ("A", "B") } else { ("B", "A") };
        let pool = &pool;
        async move { pool.hold(&[(first, 1), (second, 1)], json!({})).await.status }
    });
    let orders = async {
        for n in 0..20 {
            let lines = if n % 2 == 0 { [("B", 1), ("A", 1)] } else { [("A", 1), ("B", 1)] };
            pool.service.hear(&[order(&lines), order(&lines), order(&lines)]).await.unwrap();
        }
    };
    let adjustments = (0..20).map(|_| pool.receive(&[("B", "S2", 1), ("A", "S1", 1)]));
    let (granted, _, _) = futures_util::join!(join_all(holds), orders, join_all(adjustments));
    // 80 units and at most 20 more of each SKU: 120 would be too many.
    let held = i64::try_from(granted.iter().filter(|status| **status == 201).count()).unwrap();
    let waiting = pool.number("SELECT count(*) FROM backorders").await;
    assert_eq!(pool.number("SELECT sum(reserved) FROM stock WHERE sku = 'A'").await, held + 60 - waiting);
    assert!(granted.iter().all(|status| [201, 409].contains(status)), "{granted:?}");
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_picture_that_is_wrong_is_drawn_anew_and_nothing_is_oversold() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 3)]).await;
    assert_eq!(pool.hold(&[("A", 1)], json!({})).await.status, 201);
    // Past everything that writes stock, so that the picture in memory does not hear of it.
    let tampered = pool.service.test.store.transact("tamper", |tx| {
        let sql = "UPDATE stock SET on_hand = 1";
        diesel::connection::SimpleConnection::batch_execute(tx.conn(), sql).map_err(store::Error::from)
    });
    tampered.await.unwrap();
    let reply = pool.hold(&[("A", 2)], json!({})).await;
    assert_eq!((reply.status, reply.body["code"].as_str()), (409, Some("insufficient_stock")));
    assert_eq!(pool.balance("A", "S1").await, (1, 1, 0, 0));
}
