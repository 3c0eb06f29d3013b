//! Transactions on a real PostgreSQL: what commits together, what is refused alone, what survives an outage.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use contracts::event_id::Place;
use contracts::events::StockReleased;
use contracts::{Cause, Payload};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use kernel::Timestamp;
use kernel::id::OrderId;
use runtime::Lifecycle;
use store::idempotency::{self, Key, Started, StoredAnswer};
use store::{BatchOptions, Batcher, Error, Rows, Store, StoreOptions, Tx, inbox, outbox};
use testkit::{FaultProxy, ManualClock, TestDatabase, TestStore, eventually, outbox_events};

async fn fresh() -> TestStore {
    let fresh = TestStore::new("order", &[&store::MIGRATIONS]).await;
    fresh.database.execute("CREATE TABLE \"order\".items (id bigint PRIMARY KEY, CHECK (id <> 13))");
    fresh
}

fn insert(tx: &mut Tx<'_>, id: i64) -> Result<(), Error> {
    diesel::sql_query("INSERT INTO items VALUES ($1)").bind::<BigInt, _>(id).execute(tx.conn())?;
    Ok(())
}

fn released(order: OrderId) -> StockReleased {
    StockReleased { order_id: order, allocations: Vec::new() }
}

fn count(fresh: &TestStore) -> i64 {
    fresh.database.number("SELECT count(*) AS number FROM \"order\".items")
}

#[tokio::test(flavor = "multi_thread")]
async fn state_and_events_commit_together_or_not_at_all() {
    let fresh = fresh().await;
    let order = OrderId::at(fresh.store.now());
    let tell = move |tx: &mut Tx<'_>, id: i64| -> Result<(), Error> {
        insert(tx, id)?;
        outbox::append(tx, &released(order), &Cause::default())
    };
    let kept: Result<(), Error> = fresh.store.transact("kept", move |tx| tell(tx, 1)).await;
    kept.unwrap();
    let lost: Result<(), Error> = fresh
        .store
        .transact("lost", move |tx| {
            tell(tx, 2)?;
            Err(Error::Broken("changed my mind"))
        })
        .await;
    assert!(lost.is_err());
    assert_eq!(count(&fresh), 1);
    let told = outbox_events(&fresh.store).await;
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].kind.as_str(), told[0].subject.clone()), (StockReleased::KIND, order.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_events_of_one_subject_keep_their_order_across_kinds() {
    use contracts::events::ReservationExpired;
    use kernel::id::ReservationId;

    let fresh = fresh().await;
    let now = fresh.store.now();
    let (a, b) = (ReservationId::at(now), OrderId::at(now));
    let told: Result<(), Error> = fresh
        .store
        .transact("tell", move |tx| {
            // b's second event must not join the first row of its kind, behind which another kind of a's stands.
            outbox::append(tx, &released(b), &Cause::default())?;
            outbox::append(
                tx,
                &ReservationExpired { reservation_id: ReservationId(b.0), expired_at: now },
                &Cause::default(),
            )?;
            outbox::append(tx, &ReservationExpired { reservation_id: a, expired_at: now }, &Cause::default())?;
            outbox::append(tx, &released(b), &Cause::default())
        })
        .await;
    told.unwrap();
    let kinds: Vec<String> =
        outbox_events(&fresh.store).await.into_iter().filter(|e| e.subject == b.to_string()).map(|e| e.kind).collect();
    assert_eq!(kinds, ["stock.released", "reservation.expired", "stock.released"]);
}

/// Takes events as a consumer does: first as if nobody had taken any of them, and with care when that fails.
async fn take(store: &Store, events: &[uuid::Uuid]) -> Result<Vec<uuid::Uuid>, Error> {
    let attempt = |rows| {
        let events = events.to_vec();
        store.transact_rows("take", rows, move |tx| inbox::take(tx, "orders", &events))
    };
    let taken = match attempt(Rows::New).await {
        Ok(taken) => Ok(taken),
        Err(Error::Unavailable(reason)) => Err(Error::Unavailable(reason)),
        Err(_) => attempt(Rows::MayBeThere).await,
    };
    let mut taken: Vec<uuid::Uuid> = taken?.into_iter().collect();
    taken.sort_unstable();
    Ok(taken)
}

const NONE: [uuid::Uuid; 0] = [];

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_taken_once_however_its_batch_is_cut() {
    let fresh = fresh().await;
    let batch = |count: u16| {
        let base = kernel::id::uuid_at(Timestamp::EPOCH);
        (1..=count).map(|number| Place::id(base, count, number)).collect::<Vec<_>>()
    };
    let (a, b, c) = (batch(3), batch(2), batch(1));
    assert_eq!(take(&fresh.store, &a).await.unwrap(), a, "a whole batch");
    assert_eq!(take(&fresh.store, &a).await.unwrap(), NONE, "the whole batch again");
    assert_eq!(take(&fresh.store, &a[1..]).await.unwrap(), NONE, "a part of what was taken as a whole");
    assert_eq!(take(&fresh.store, &b[..1]).await.unwrap(), b[..1], "a part");
    assert_eq!(take(&fresh.store, &b[..1]).await.unwrap(), NONE, "the part again");
    let together = [&a[..], &b[..], &c[..]].concat();
    let mut left = [&b[1..], &c[..]].concat();
    left.sort_unstable();
    assert_eq!(take(&fresh.store, &together).await.unwrap(), left, "what is left of several");
    assert_eq!(take(&fresh.store, &together).await.unwrap(), NONE);
    let unnumbered = [0x0199_0000_0000_7000_8000_0000_1234_5678, 0x0199_0000_0000_7000_8000_0000_1234_5679];
    let unnumbered = unnumbered.map(uuid::Uuid::from_u128);
    assert_eq!(take(&fresh.store, &unnumbered[..1]).await.unwrap(), unnumbered[..1], "an id of another making");
    assert_eq!(take(&fresh.store, &unnumbered).await.unwrap(), unnumbered[1..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_answers_its_own_request_again_and_no_other() {
    let fresh = fresh().await;
    let key = |fingerprint: &str| Key { client: "c".into(), key: "k".into(), fingerprint: fingerprint.into() };
    let answer = StoredAnswer { status: 201, body: "{}".into(), etag: Some("1".into()) };
    let (first, stored) = (key("same"), answer.clone());
    let started: Result<Started, Error> = fresh
        .store
        .transact("first", move |tx| {
            let started = idempotency::begin(tx, &first)?;
            idempotency::finish(tx, &first, &stored)?;
            Ok(started)
        })
        .await;
    assert_eq!(started.unwrap(), Started::Fresh);
    let begin = |key: Key| fresh.store.transact("again", move |tx| idempotency::begin(tx, &key));
    assert_eq!(begin(key("same")).await.unwrap(), Started::Replay(answer));
    assert_eq!(begin(key("other")).await.unwrap(), Started::Reused);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_requests_with_one_key_one_has_an_effect() {
    let fresh = fresh().await;
    let done = Arc::new(AtomicUsize::new(0));
    let request = |done: Arc<AtomicUsize>| {
        let key = Key { client: "c".into(), key: "k".into(), fingerprint: "f".into() };
        fresh.store.transact("request", move |tx| {
            let started = idempotency::begin(tx, &key)?;
            if started == Started::Fresh {
                insert(tx, 1)?;
                done.fetch_add(1, Ordering::SeqCst);
                idempotency::finish(tx, &key, &StoredAnswer { status: 200, body: "1".into(), etag: None })?;
            }
            Ok::<Started, Error>(started)
        })
    };
    let all = (0..32).map(|_| request(done.clone()));
    let outcomes = futures_util::future::join_all(all).await;
    assert!(outcomes.into_iter().all(|outcome| outcome.is_ok()));
    assert_eq!((done.load(Ordering::SeqCst), count(&fresh)), (1, 1));
}

const OPTIONS: BatchOptions =
    BatchOptions { name: "insert", max_batch: 64, lanes: 2, rest: Duration::ZERO, queue: 1_000 };

fn batcher(fresh: &TestStore, lifecycle: &Lifecycle, options: BatchOptions) -> Batcher<i64, i64, Error> {
    Batcher::new(&fresh.store, options, lifecycle, |tx, ids: &[i64]| {
        let mut outcomes = Vec::new();
        for id in ids {
            if *id < 0 {
                outcomes.push(Err(Error::Broken("negative")));
                continue;
            }
            insert(tx, *id)?;
            outcomes.push(Ok(*id));
        }
        Ok(outcomes)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_command_of_a_batch_fails_alone() {
    let fresh = fresh().await;
    let lifecycle = Lifecycle::new();
    let batcher = batcher(&fresh, &lifecycle, OPTIONS);
    // 13 breaks a constraint, so the whole transaction fails; -1 is refused by the command itself.
    let outcomes = futures_util::future::join_all([-1_i64, 1, 2, 13, 14].map(|id| batcher.submit(id))).await;
    let good: Vec<i64> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok().copied()).collect();
    assert_eq!(good, [1, 2, 14]);
    assert_eq!(count(&fresh), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_is_finished_before_the_process_ends() {
    let fresh = fresh().await;
    let lifecycle = Lifecycle::new();
    let batcher = batcher(&fresh, &lifecycle, OPTIONS);
    let waiting = futures_util::future::join_all((100..200).map(|id| batcher.submit(id)));
    let ending = async {
        eventually("the first command is in", async || (count(&fresh) > 0).then_some(())).await;
        lifecycle.shutdown(Duration::from_secs(10)).await.unwrap();
    };
    let (outcomes, ()) = tokio::join!(waiting, ending);
    let accepted = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(i64::try_from(accepted).unwrap(), count(&fresh));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_rests_after_several_commands_only_and_not_when_the_process_ends() {
    let fresh = fresh().await;
    let lifecycle = Lifecycle::new();
    let a_day = Duration::from_secs(24 * 3600);
    let batcher = batcher(&fresh, &lifecycle, BatchOptions { lanes: 1, rest: a_day, ..OPTIONS });
    for alone in 100..103 {
        assert_eq!(batcher.submit(alone).await.unwrap(), alone);
    }
    // The second and further ones of these are taken together, after which the lane would rest for a day.
    let waiting = futures_util::future::join_all((200..210).map(|id| batcher.submit(id)));
    let ending = async {
        eventually("some are in", async || (count(&fresh) > 3).then_some(())).await;
        lifecycle.shutdown(Duration::from_secs(10)).await.unwrap();
    };
    let (outcomes, ()) = tokio::join!(waiting, ending);
    let accepted = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(i64::try_from(3 + accepted).unwrap(), count(&fresh));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_panics_is_lost_alone() {
    let fresh = fresh().await;
    let lifecycle = Lifecycle::new();
    let batcher = Batcher::new(&fresh.store, BatchOptions { lanes: 1, ..OPTIONS }, &lifecycle, |tx, ids: &[i64]| {
        assert!(!ids.contains(&666), "a defect");
        ids.iter().map(|id| insert(tx, *id).map(|()| Ok::<_, Error>(*id))).collect()
    });
    assert!(matches!(batcher.submit(666).await, Err(Error::Unavailable(_))));
    assert_eq!(batcher.submit(1).await.unwrap(), 1);
    assert_eq!(count(&fresh), 1);
}

/// The statement that goes with BEGIN, by the commands of the batch.
fn opening(ids: &[i64]) -> &'static str {
    if ids.contains(&666) { "SELECT 1 / 0" } else { "SELECT set_config('onepool.opened', 'yes', true)" }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_begins_with_its_statement_or_not_at_all() {
    let fresh = fresh().await;
    // One connection, so that whatever a refused beginning leaves on it meets the next transaction.
    let options = StoreOptions { pool_size: 1, ..StoreOptions::new(fresh.database.url(), "order") };
    let store = Store::connect(options, ManualClock::new()).unwrap();
    let lifecycle = Lifecycle::new();
    let batcher =
        Batcher::beginning(&store, BatchOptions { lanes: 1, ..OPTIONS }, &lifecycle, opening, |tx, ids: &[i64]| {
            let row: Setting =
                diesel::sql_query("SELECT current_setting('onepool.opened', true) AS value").get_result(tx.conn())?;
            ids.iter().map(|id| insert(tx, *id).map(|()| Ok::<_, Error>(row.value.clone()))).collect()
        });
    for id in 1..3 {
        assert!(matches!(batcher.submit(666).await, Err(Error::Database(_))));
        assert_eq!(batcher.submit(id).await.unwrap().as_deref(), Some("yes"));
    }
    assert_eq!(count(&fresh), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_gets_no_lock_is_refused_at_once_and_not_command_by_command() {
    let fresh = fresh().await;
    let lock_timeout = Duration::from_millis(50);
    let options = StoreOptions { lock_timeout, ..StoreOptions::new(fresh.database.url(), "order") };
    let store = Store::connect(options, ManualClock::new()).unwrap();
    let (lifecycle, begun) = (Lifecycle::new(), Arc::new(AtomicUsize::new(0)));
    let count = begun.clone();
    let locked = move |_: &[i64]| {
        count.fetch_add(1, Ordering::SeqCst);
        "SELECT pg_advisory_xact_lock(7)"
    };
    let run = |_: &mut Tx<'_>, ids: &[i64]| Ok(ids.iter().map(|id| Ok::<_, Error>(*id)).collect());
    let batcher = Batcher::beginning(&store, BatchOptions { lanes: 1, ..OPTIONS }, &lifecycle, locked, run);
    let outcomes = fresh.store.transact("hold", move |tx| {
        diesel::sql_query("SELECT pg_advisory_xact_lock(7)").execute(tx.conn())?;
        let all = futures_util::future::join_all((0..20).map(|id| batcher.submit(id)));
        Ok::<_, Error>(tokio::runtime::Handle::current().block_on(all))
    });
    let outcomes = outcomes.await.unwrap();
    assert!(outcomes.iter().all(|it| matches!(it, Err(Error::Unavailable(_)))), "{outcomes:?}");
    assert!(begun.load(Ordering::SeqCst) <= 2, "{begun:?} transactions waited for the lock");
}

#[derive(QueryableByName)]
struct Setting {
    #[diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::Text>)]
    value: Option<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_went_stale_are_replaced_without_a_failed_request() {
    let database = TestDatabase::empty();
    let proxy = FaultProxy::to(database.url()).await;
    let options = StoreOptions { pool_size: 4, ..StoreOptions::new(proxy.url(), "order") };
    let store = Store::connect(options, ManualClock::new()).unwrap();
    store.migrate(vec![&store::MIGRATIONS]).await.unwrap();
    let backlog = || async { store.read("look", outbox::backlog).await };
    backlog().await.unwrap();
    proxy.cut();
    assert_eq!(backlog().await.unwrap().rows, 0);
    proxy.refuse();
    proxy.cut();
    assert!(matches!(backlog().await, Err(Error::Unavailable(_))));
    proxy.resume();
    assert_eq!(backlog().await.unwrap().rows, 0);
}
