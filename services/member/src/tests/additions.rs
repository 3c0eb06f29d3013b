//! Lines that are added to an order earn as those that were there, in whatever order it is heard.

use bus::ConsumeError;
use contracts::events::{AddedLines, OrderChanged, OrderPlaced};
use itertools::Itertools;
use serde_json::json;

use super::{Shop, phone};
use crate::domain::account::Balances;
use crate::store::rules::RuleKind;

const NOTHING: Balances = Balances { pending: 0, active: 0, held: 0, arrears: 0 };

/// The change that adds a line of this number to the order: a SKU, units and what was paid for them.
fn added(order: &OrderPlaced, version: i64, line_no: i32, (sku, units, paid_amount): (&str, i64, i64)) -> OrderChanged {
    let mut line = order.lines[0].clone();
    (line.line_no, line.sku, line.quantity) = (line_no, sku.parse().unwrap(), units.try_into().unwrap());
    (line.list_amount, line.paid_amount) = (paid_amount, paid_amount);
    let mut totals = order.totals;
    (totals.list_amount, totals.total_amount) = (paid_amount, paid_amount);
    OrderChanged {
        order_id: order.order_id,
        version,
        fields: vec!["lines".to_owned()],
        destination: None,
        credited: None,
        added: Some(AddedLines {
            channel: order.channel.clone(),
            placed_at: order.placed_at,
            currency: order.currency,
            lines: vec![line],
            totals,
        }),
        changed_at: order.placed_at,
    }
}

#[tokio::test]
async fn an_added_line_earns_what_it_would_have_earned_from_the_start() {
    // 49.50 and 49.50 are 99.00: 49 points and then 50, not twice 49. B earns 5 a piece on top.
    let shop = Shop::new().await;
    let base = json!({"points": 1, "per": {"amount": 100, "currency": "CNY"}});
    shop.set_rule(RuleKind::EarningRule, json!({"base": base, "products": [{"sku": "B", "points": 5}]})).await;
    let order = shop.order(&[phone("13800138000")], &[("A", 1, 4_950)]);
    let more = added(&order, 2, 2, ("B", 2, 4_950));
    assert!(matches!(shop.hears(&more).await, Err(ConsumeError::Retry(_))), "the order is not known");
    shop.hears(&order).await.unwrap();
    let member = shop.buyer_of(&order).await.unwrap();
    // What the rule says by now is nothing to an order that was reckoned by another.
    shop.set_rule(RuleKind::EarningRule, json!({"base": {"points": 9, "per": {"amount": 100, "currency": "CNY"}}}))
        .await;
    shop.hears(&more).await.unwrap();
    shop.hears(&more).await.unwrap();
    assert_eq!(shop.points(member).await, Balances { pending: 109, ..NOTHING });
    shop.completes(order.order_id).await.unwrap();
    assert_eq!(shop.points(member).await, Balances { active: 109, ..NOTHING });
    shop.refunds(&order, &[(2, 1)]).await.unwrap();
    assert_eq!(shop.points(member).await, Balances { active: 79, ..NOTHING });
    assert_eq!(shop.number("SELECT sum(amount)::bigint AS number FROM member.tier_entries"), 4_950 + 2_475);
    shop.is_proved().await;
}

#[tokio::test]
async fn a_change_that_adds_nothing_earns_nothing() {
    let shop = Shop::new().await;
    let order = shop.order(&[phone("13800138000")], &[("A", 1, 5_000)]);
    let moved = OrderChanged { added: None, ..added(&order, 2, 2, ("B", 1, 100)) };
    shop.hears(&moved).await.unwrap();
    shop.hears(&order).await.unwrap();
    let nobody = shop.order(&[], &[("A", 1, 5_000)]);
    shop.hears(&nobody).await.unwrap();
    shop.hears(&added(&nobody, 2, 2, ("B", 1, 5_000))).await.unwrap();
    shop.cancels(&nobody, &[(2, 1)]).await.unwrap();
    let member = shop.buyer_of(&order).await.unwrap();
    assert_eq!(shop.points(member).await, Balances { pending: 50, ..NOTHING });
    shop.is_proved().await;
}

/// An order of `A` that gets `B` and `C`, of which units are cancelled and, once all is heard, others come back.
struct Story {
    /// Points for each 1.00 paid.
    rate: i64,
    /// Units, and what was paid for them.
    lines: [(i64, i64); 3],
    /// A unit of which line.
    cancelled: i32,
    /// Units of which lines.
    returned: &'static [(i32, i64)],
    /// Points and money that are left.
    left: (i64, i64),
}

impl Story {
    /// What becomes of the order, by its place here.
    async fn hear(&self, shop: &Shop, order: &OrderPlaced, event: usize) -> Result<(), ConsumeError> {
        let [_, (two, two_paid), (three, three_paid)] = self.lines;
        match event {
            0 => shop.hears(order).await,
            1 => shop.hears(&added(order, 2, 2, ("B", two, two_paid))).await,
            2 => shop.hears(&added(order, 3, 3, ("C", three, three_paid))).await,
            3 => shop.cancels(order, &[(self.cancelled, 1)]).await,
            _ => shop.completes(order.order_id).await,
        }
    }

    async fn ends_the_same_whatever_comes_first(&self) {
        let shop = Shop::new().await;
        let base = json!({"points": self.rate, "per": {"amount": 100, "currency": "CNY"}});
        shop.set_rule(RuleKind::EarningRule, json!({"base": base})).await;
        for arrival in (0..5).permutations(5) {
            let number = format!("139{:08}", arrival.iter().fold(0, |sum, it| sum * 7 + it));
            let order = shop.order(&[phone(&number)], &[("A", self.lines[0].0, self.lines[0].1)]);
            let mut waiting = arrival.clone();
            while !waiting.is_empty() {
                let mut left = Vec::new();
                for event in &waiting {
                    match self.hear(&shop, &order, *event).await {
                        Ok(()) => {}
                        Err(ConsumeError::Retry(_)) => left.push(*event),
                        Err(error) => panic!("{arrival:?}: {event}: {error:?}"),
                    }
                }
                assert!(left.len() < waiting.len(), "{arrival:?}: {left:?} wait for ever");
                waiting = left;
            }
            shop.refunds(&order, self.returned).await.unwrap();
            let (points, paid) = self.left;
            let member = shop.buyer_of(&order).await.unwrap();
            assert_eq!(shop.points(member).await, Balances { active: points, ..NOTHING }, "{arrival:?}");
            let spent =
                format!("SELECT sum(amount)::bigint AS number FROM member.tier_entries WHERE member_id = '{member}'");
            assert_eq!(shop.number(&spent), paid, "{arrival:?}");
        }
        shop.is_proved().await;
    }
}

#[tokio::test]
async fn whatever_comes_first_the_books_end_the_same() {
    // 50.00, 100.00 and 30.00 earn 180. Two of the four B go with 50, one by one, the A with its 50: 80 are left.
    let lines = [(1, 5_000), (4, 10_000), (1, 3_000)];
    let story = Story { rate: 1, lines, cancelled: 2, returned: &[(1, 1), (2, 1)], left: (80, 8_000) };
    story.ends_the_same_whatever_comes_first().await;
}

#[tokio::test]
async fn what_is_left_of_a_point_goes_to_the_same_line_whatever_comes_first() {
    // Three times 0.50 earn 4 points: 2 for the first line, 1 for each of the others. The first is cancelled; of two units B one
    // comes back, which takes round(1 × 1 ÷ 2) = 1: 1 is left, for 0.75.
    let lines = [(1, 50), (2, 50), (1, 50)];
    let story = Story { rate: 3, lines, cancelled: 1, returned: &[(2, 1)], left: (1, 75) };
    story.ends_the_same_whatever_comes_first().await;
}
