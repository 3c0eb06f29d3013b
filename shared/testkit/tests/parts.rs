//! The parts that other tests stand on do what they promise.

use std::collections::HashSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use testkit::{FaultProxy, TestBroker, TestDatabase, TestStore, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn each_test_has_a_migrated_database_of_its_own_until_it_ends() {
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..4 {
        running.spawn(async { TestStore::new("order", &[&store::MIGRATIONS]).await });
    }
    let stores = running.join_all().await;
    let urls: HashSet<String> = stores.iter().map(|test| test.database.url().to_owned()).collect();
    assert_eq!(urls.len(), 4);
    for test in &stores {
        assert_eq!(test.database.number("SELECT count(*) AS number FROM \"order\".outbox"), 0);
    }
    let names: Vec<&str> = urls.iter().map(|url| url.rsplit_once('/').unwrap().1).collect();
    let list = format!("SELECT count(*) AS number FROM pg_database WHERE datname IN ('{}')", names.join("', '"));
    let onlooker = TestDatabase::empty();
    assert_eq!(onlooker.number(&list), 4);
    drop(stores);
    assert_eq!(onlooker.number(&list), 0);
}

#[test]
fn each_test_has_a_virtual_host_of_its_own_until_it_ends() {
    let (one, other) = (TestBroker::new(), TestBroker::new());
    assert_ne!(one.url(), other.url());
    let exchanges = one.list("exchanges");
    assert!(exchanges.as_array().unwrap().iter().any(|exchange| exchange["name"] == "amq.topic"));
    assert_eq!(one.list("queues"), serde_json::json!([]));
}

/// A server that answers every byte with itself, and the proxy in front of it.
async fn echo() -> FaultProxy {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::Builder::new()
        .spawn(move || {
            for link in listener.incoming() {
                let mut link = link.unwrap();
                std::thread::Builder::new()
                    .spawn(move || std::io::copy(&mut link.try_clone().unwrap(), &mut link))
                    .unwrap();
            }
        })
        .unwrap();
    FaultProxy::to(&format!("tcp://{address}")).await
}

fn dial(proxy: &FaultProxy) -> TcpStream {
    let link = TcpStream::connect(proxy.address()).unwrap();
    link.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    link
}

fn say(link: &mut TcpStream, word: &[u8; 4]) -> std::io::Result<[u8; 4]> {
    let mut answer = [0; 4];
    link.write_all(word)?;
    link.read_exact(&mut answer).map(|()| answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_link_is_reset_and_a_new_one_passes() {
    let proxy = echo().await;
    let mut link = dial(&proxy);
    assert_eq!(&say(&mut link, b"here").unwrap(), b"here");
    proxy.cut();
    eventually("the link is reset", async || {
        say(&mut link, b"gone").err().filter(|e| e.kind() != ErrorKind::WouldBlock)
    })
    .await;
    assert_eq!(&say(&mut dial(&proxy), b"back").unwrap(), b"back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_link_fails_until_the_proxy_resumes() {
    let proxy = echo().await;
    proxy.refuse();
    assert!(say(&mut dial(&proxy), b"none").is_err());
    proxy.resume();
    assert_eq!(&say(&mut dial(&proxy), b"back").unwrap(), b"back");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_during_a_hang_arrives_after_it() {
    let proxy = echo().await;
    let mut link = dial(&proxy);
    assert_eq!(&say(&mut link, b"here").unwrap(), b"here");
    proxy.hang();
    assert_eq!(say(&mut link, b"late").unwrap_err().kind(), ErrorKind::WouldBlock);
    proxy.resume();
    let mut answer = [0; 4];
    link.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"late");
}
