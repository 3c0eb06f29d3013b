use super::{Shop, phone};
use std::time::Instant;

fn cpu(pid: &str) -> f64 {
    pid.split(',').map(one).sum()
}
fn one(pid: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let f: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    (f[11].parse::<f64>().unwrap() + f[12].parse::<f64>().unwrap()) / 100.0
}

#[tokio::test]
async fn bench() {
    let shop = Shop::new().await;
    #[derive(diesel::QueryableByName)]
    struct Pid { #[diesel(sql_type = diesel::sql_types::Text)] pid: String }
    for order in [shop.order(&[], &[("A", 1, 1)])] { futures_util::future::join_all((0..8).map(|_| shop.hears(&order))).await.into_iter().for_each(drop); }
    let pid = shop.test.store.read("pid", |tx| { use diesel::RunQueryDsl; Ok::<_, ::store::Error>(diesel::sql_query("select string_agg(pid::text, ',') as pid from pg_stat_activity where datname = current_database()").get_result::<Pid>(tx.conn()).unwrap().pid) }).await.unwrap();
    let url = shop.test.database.url().to_owned();
    let name = url.rsplit('/').next().unwrap();
    shop.test.database.execute(&format!("ALTER DATABASE {name} SET session_preload_libraries='auto_explain'; ALTER DATABASE {name} SET auto_explain.log_min_duration=0; ALTER DATABASE {name} SET auto_explain.log_analyze=on; ALTER DATABASE {name} SET auto_explain.log_buffers=on"));
    let mut traced = Shop::new().await;
    traced.test.store = ::store::Store::connect(::store::StoreOptions { pool_size: 1, ..::store::StoreOptions::new(&url, "member") }, shop.test.clock.clone()).unwrap();
    let mut placed = vec![];
    for (name, members) in [("all new", 100_000), ("returning of 2000", 2_000)] {
        let batches: Vec<Vec<_>> = (0..20).map(|b| (0..300).map(|i| {
            let n = (b * 300 + i) * 7919 % members;
            shop.order(&[phone(&format!("138{n:08}"))], &[("A", 2, 10_000), ("B", 1, 5_050)])
        }).collect()).collect();
        let (t, c, s) = (Instant::now(), cpu(&pid), cpu("self"));
        for batch in &batches { shop.hears_all(batch).await.unwrap(); }
        let n = 6000.0;
        println!("{name}: wall {:.0}/s, pg {:.0} us/order, rust(debug) {:.0} us/order", n / t.elapsed().as_secs_f64(), (cpu(&pid) - c) / n * 1e6, (cpu("self") - s) / n * 1e6);
        for batch in &batches[..8] {
            let fresh: Vec<_> = batch.iter().map(|o| contracts::events::OrderPlaced { order_id: kernel::id::OrderId::at(shop.now()), ..o.clone() }).collect();
            traced.hears_all(&fresh).await.unwrap();
        }
        placed.extend(batches);
    }
    let (t, c, s) = (Instant::now(), cpu(&pid), cpu("self"));
    for batch in &placed {
        let events: Vec<_> = batch.iter().map(|o| contracts::events::OrderCompleted { order_id: o.order_id, completed_at: shop.now() }).collect();
        shop.hears_all(&events).await.unwrap();
    }
    for batch in &placed[..8] {
        for o in batch { let _ = o; }
        let fresh: Vec<_> = batch.iter().map(|o| contracts::events::OrderPlaced { order_id: kernel::id::OrderId::at(shop.now()), ..o.clone() }).collect();
        shop.hears_all(&fresh).await.unwrap();
        let events: Vec<_> = fresh.iter().map(|o| contracts::events::OrderCompleted { order_id: o.order_id, completed_at: shop.now() }).collect();
        traced.hears_all(&events).await.unwrap();
    }
    let n = 12000.0;
    println!("completed: wall {:.0}/s, pg {:.0} us/order, rust(debug) {:.0} us/order", n / t.elapsed().as_secs_f64(), (cpu(&pid) - c) / n * 1e6, (cpu("self") - s) / n * 1e6);
    shop.is_proved().await;
}
