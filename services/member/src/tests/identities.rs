//! One person behind every channel.

use contracts::events::{IdentityLinked, MemberRegistered, OrderPlaced};
use futures_util::future::join_all;
use testkit::{outbox_events, told};

use super::{Shop, identity, phone};

#[tokio::test]
async fn a_buyer_is_one_member_on_every_channel_however_the_phone_is_written() {
    let shop = Shop::new().await;
    let first = shop.order(&[phone("13800138000")], &[("A", 1, 100)]);
    let second = shop.order(&[phone("+86 138 0013 8000"), identity("wechat_unionid", "o1")], &[("A", 1, 100)]);
    let third = shop.order(&[identity("wechat_unionid", "o1")], &[("A", 1, 100)]);
    shop.hears_all(&[first.clone(), second.clone()]).await.unwrap();
    shop.hears(&third).await.unwrap();
    let member = shop.buyer_of(&first).await.unwrap();
    assert_eq!(shop.buyer_of(&second).await, Some(member));
    assert_eq!(shop.buyer_of(&third).await, Some(member));
    let registered: Vec<MemberRegistered> = told(&shop.test.store).await;
    assert_eq!(registered.iter().map(|it| it.member_id).collect::<Vec<_>>(), [member]);
    let linked: Vec<IdentityLinked> = told(&shop.test.store).await;
    let mut types: Vec<&str> = linked.iter().map(|it| it.identity_type.as_str()).collect();
    types.sort_unstable();
    assert_eq!(types, ["phone", "wechat_unionid"]);
}

#[tokio::test]
async fn an_anonymous_order_is_answered_too() {
    let shop = Shop::new().await;
    let anonymous = shop.order(&[], &[("A", 1, 100)]);
    let masked = shop.order(&[phone("138****8000")], &[("A", 1, 100)]);
    shop.hears_all(&[anonymous.clone(), masked.clone()]).await.unwrap();
    assert_eq!(shop.buyer_of(&anonymous).await, None);
    assert_eq!(shop.buyer_of(&masked).await, None);
    shop.completes(anonymous.order_id).await.unwrap();
    shop.refunds(&anonymous, &[(1, 1)]).await.unwrap();
}

#[tokio::test]
async fn weak_identities_neither_register_nor_join() {
    let shop = Shop::new().await;
    let family_card = identity("payment_account", "hash-of-a-shared-card");
    let nobody = shop.order(std::slice::from_ref(&family_card), &[("A", 1, 100)]);
    let anna = shop.order(&[phone("13800138000"), family_card.clone()], &[("A", 1, 100)]);
    let ben = shop.order(&[phone("13900139000"), family_card], &[("A", 1, 100)]);
    shop.hears_all(&[nobody.clone(), anna.clone(), ben.clone()]).await.unwrap();
    assert_eq!(shop.buyer_of(&nobody).await, None);
    assert_ne!(shop.buyer_of(&anna).await.unwrap(), shop.buyer_of(&ben).await.unwrap());
    assert_eq!(shop.number("SELECT count(*) AS number FROM member.identity_evidence WHERE claim = 'hinted'"), 2);
}

#[tokio::test]
async fn identities_of_two_members_open_a_case_and_the_strongest_wins() {
    let shop = Shop::new().await;
    let anna = shop.order(&[phone("13800138000")], &[("A", 1, 100)]);
    let ben = shop.order(&[identity("till_card", "77")], &[("A", 1, 100)]);
    shop.hears_all(&[anna.clone(), ben.clone()]).await.unwrap();
    let both = || shop.order(&[identity("till_card", "77"), phone("13800138000")], &[("A", 1, 100)]);
    let (once, twice) = (both(), both());
    shop.hears(&once).await.unwrap();
    shop.hears(&twice).await.unwrap();
    assert_eq!(shop.buyer_of(&once).await, shop.buyer_of(&anna).await);
    assert_ne!(shop.buyer_of(&anna).await, shop.buyer_of(&ben).await);
    assert_eq!(shop.number("SELECT count(*) AS number FROM member.identity_cases"), 1);
    assert_eq!(shop.number("SELECT count(*) AS number FROM member.identities"), 2);
}

#[tokio::test]
async fn new_buyers_seen_by_many_transactions_at_once_are_registered_once() {
    let shop = Shop::new().await;
    // Eight transactions see the same twenty new buyers, each in another order and half of them with a second identity.
    let batch = |turn: usize| -> Vec<OrderPlaced> {
        let buyer = |number: usize| {
            let by_phone = phone(&format!("1380013{number:04}"));
            let by_card = identity("till_card", &number.to_string());
            match turn % 3 {
                0 => vec![by_phone],
                1 => vec![by_card, by_phone],
                _ => vec![by_phone, by_card],
            }
        };
        (0..20).map(|i| shop.order(&buyer((i * 7 + turn) % 20), &[("A", 1, 100)])).collect()
    };
    let batches: Vec<Vec<OrderPlaced>> = (0..8).map(batch).collect();
    for heard in join_all(batches.iter().map(|batch| shop.hears_all(batch))).await {
        heard.unwrap();
    }
    assert_eq!(shop.number("SELECT count(*) AS number FROM member.members"), 20);
    assert_eq!(shop.number("SELECT count(*) AS number FROM member.identities"), 40);
    assert_eq!(shop.number("SELECT count(DISTINCT member_id) AS number FROM member.purchases"), 20);
    let registered: Vec<MemberRegistered> = told(&shop.test.store).await;
    assert_eq!(registered.len(), 20);
    shop.is_proved().await;
}

#[tokio::test]
async fn personal_data_is_neither_told_nor_stored_readably() {
    let shop = Shop::new().await;
    let order = shop.order(&[phone("13800138000"), identity("shipping_contact", "人民路1号")], &[("A", 1, 100)]);
    shop.hears_all(&[order]).await.unwrap();
    for event in outbox_events(&shop.test.store).await {
        let text = serde_json::to_string(&event).unwrap();
        assert!(!["13800138000", "人民路", "王小明"].iter().any(|secret| text.contains(secret)), "{text}");
    }
    for table in ["members", "identities", "identity_evidence"] {
        let readable = format!(
            "SELECT count(*) AS number FROM member.{table} t
             WHERE t::text LIKE '%' || encode('13800138000', 'hex') || '%' OR t::text LIKE '%13800138000%'
                OR t::text LIKE '%' || encode(convert_to('王小明', 'UTF8'), 'hex') || '%'"
        );
        assert_eq!(shop.number(&readable), 0, "{table}");
    }
}

#[tokio::test]
#[should_panic(expected = "append-only")]
async fn evidence_only_grows() {
    let shop = Shop::new().await;
    shop.hears(&shop.order(&[phone("13800138000")], &[("A", 1, 100)])).await.unwrap();
    shop.test.database.execute("UPDATE member.identity_evidence SET reference = ''");
}
