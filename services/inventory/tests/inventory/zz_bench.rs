//! Temporary measurement.
use crate::support::*;
use serde_json::json;
use std::time::Instant;

#[actix_web::test]
async fn bench() {
    let pool = Pool::new().await;
    let skus: Vec<_> = (0..2000).map(|n| sku(&format!("K{n:04}"), 1, &[])).collect();
    pool.service.hear(&skus).await.unwrap();
    let locs: String = (0..50).map(|n| format!("{}\n", json!({"code": format!("L{n:03}"), "name":"x","kind":"store","latitude": 20.0 + (n%17) as f64, "longitude": 100.0 + (n%23) as f64}))).collect();
    let claims = pool.service.credentials.claims("erp", "*");
    pool.service.send_as(&claims, actix_web::test::TestRequest::post().uri("/v1/locations/import").set_payload(locs)).await;
    let t = Instant::now();
    let stock: String = (0..100_000).map(|n| format!("{}\n", json!({"sku": format!("K{:04}", n%2000), "location": format!("L{:03}", n/2000), "on_hand": 1000000}))).collect();
    let _r = pool.service.send_as(&claims, actix_web::test::TestRequest::post().uri("/v1/stock/import").set_payload(stock)).await;
    println!("import 100k {:?}", t.elapsed());
    for batch in 0..30usize {
        let orders: Vec<_> = (0..300usize).map(|n| {
            let a = format!("K{:04}", (batch * 31 + n * 7) % 2000);
            let b = format!("K{:04}", (batch * 17 + n * 13 + 500) % 2000);
            let mut o = order(&[(a.as_str(), 1), (b.as_str(), 2)]);
            o.fulfilment.destination.as_mut().unwrap().point = Some(kernel::GeoPoint::new(20.0 + (n % 19) as f64, 100.0 + (n % 29) as f64).unwrap());
            o
        }).collect();
        let t = Instant::now();
        let c = std::fs::read_to_string("/proc/self/stat").unwrap();
        pool.service.hear(&orders).await.unwrap();
        let d = std::fs::read_to_string("/proc/self/stat").unwrap();
        let cpu = |s: &str| { let f: Vec<&str> = s.split(' ').collect(); f[13].parse::<i64>().unwrap() + f[14].parse::<i64>().unwrap() };
        println!("batch {batch} {:?} cpu {}0ms", t.elapsed(), cpu(&d) - cpu(&c));
    }
    println!("doc {}", pool.number("SELECT avg(length(document)) FROM decisions").await);
    let t = Instant::now();
    pool.service.run_job("tell_stock").await;
    println!("tell {:?}", t.elapsed());
    let t = Instant::now();
    pool.service.run_job("prove_stock").await;
    println!("prove {:?}", t.elapsed());
    let t = Instant::now();
    let holds = futures_util::future::join_all((0..2000).map(|_| pool.hold(&[("K0001", 1)], json!({})))).await;
    println!("2000 holds over http in {:?} {}", t.elapsed(), holds[0].status);
}
