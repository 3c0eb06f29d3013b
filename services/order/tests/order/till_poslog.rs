//! Transactions as POSLog (ARTS IXRetail).

use actix_web::test::TestRequest;
use serde_json::{Value, json};

use crate::support::{Answer, Shop, fen};
use crate::tills::results;

async fn post(shop: &Shop, query: &str, text: String) -> Answer {
    let request = TestRequest::post().uri(&format!("/v1/pos/transactions{query}"));
    let request = request.insert_header(("Content-Type", "application/xml; charset=utf-8")).set_payload(text);
    shop.send(&shop.claims("*"), request).await
}

fn log(transactions: &[String]) -> String {
    format!("<?xml version=\"1.0\"?><POSLog xmlns=\"urn:test\">{}</POSLog>", transactions.concat())
}

fn transaction(sequence: i64, retail: &str) -> String {
    format!(
        "<Transaction><BusinessUnit><UnitID Name=\"Bund &amp; Co\">S1</UnitID></BusinessUnit>\
         <WorkstationID>T1</WorkstationID><SequenceNumber>{sequence}</SequenceNumber>\
         <RetailTransaction>{retail}</RetailTransaction><BusinessDayDate>2026-11-11</BusinessDayDate>\
         <CurrencyCode>CNY</CurrencyCode><EndDateTime>2026-11-11T12:00:00.1234567+08:00</EndDateTime></Transaction>"
    )
}

const SALE: &str = "<LineItem><SequenceNumber>1</SequenceNumber><Sale><ItemID>A</ItemID>\
    <RegularSalesUnitPrice>10.00</RegularSalesUnitPrice><ActualSalesUnitPrice>9.50</ActualSalesUnitPrice>\
    <ExtendedAmount>19.00</ExtendedAmount><Quantity Units=\"2\">2</Quantity>\
    <Quantity UnitOfMeasureCode=\"KGM\">0.4</Quantity></Sale></LineItem>\
    <LineItem VoidFlag=\"true\"><SequenceNumber>2</SequenceNumber><Sale><ItemID>B</ItemID>\
    <ActualSalesUnitPrice>99.00</ActualSalesUnitPrice></Sale></LineItem>\
    <LineItem><SequenceNumber>3</SequenceNumber><Return><POSIdentity><POSItemID>B</POSItemID></POSIdentity>\
    <TransactionLink ReasonCode=\"Return\"><RetailStoreID>S2</RetailStoreID><BusinessDayDate>2026-11-10</BusinessDayDate>\
    <SequenceNumber>7</SequenceNumber><LineItemSequenceNumber>4</LineItemSequenceNumber></TransactionLink>\
    <ActualSalesUnitPrice>4.00</ActualSalesUnitPrice></Return></LineItem>\
    <LineItem><SequenceNumber>4</SequenceNumber><Tender TenderType=\"Cash\"><Amount>20.00</Amount>\
    <TenderChange><Amount>5.00</Amount></TenderChange></Tender></LineItem>\
    <LoyaltyAccount><LoyaltyID>C-1</LoyaltyID></LoyaltyAccount>";

#[actix_web::test]
async fn a_poslog_is_taken_like_the_same_in_json() {
    let shop = Shop::new().await;
    let void = "<TransactionLink ReasonCode=\"Void\"><BusinessDayDate>2026-11-11</BusinessDayDate>\
        <SequenceNumber>1</SequenceNumber></TransactionLink><LineItem/>";
    let answer = post(&shop, "?channel=tmall", log(&[transaction(1, SALE), transaction(2, void)])).await;
    assert_eq!((answer.status, results(&answer)), (200, vec!["new", "new"]), "{}", answer.body);
    let view = shop.get(&format!("/v1/pos/transactions/{}", answer.body[0]["id"].as_str().unwrap())).await.body;
    let lines: Vec<(&Value, &Value, &Value)> =
        view["lines"].as_array().unwrap().iter().map(|it| (&it["sku"], &it["quantity"], &it["paid_amount"])).collect();
    assert_eq!(lines, [(&json!("A"), &json!(2), &fen(1900)), (&json!("B"), &json!(-1), &fen(-400))]);
    assert_eq!((&view["kind"], &view["total_amount"]), (&json!("exchange"), &fen(1500)));
    assert_eq!(
        view["tenders"],
        json!([{"method": "cash", "amount": fen(2000)}, {"method": "cash", "amount": fen(-500)}])
    );
    assert_eq!(view["buyer"]["identities"][0], json!({"type": "till_card", "value": "C-1"}));
    assert_eq!(view["voided_by"], answer.body[1]["id"]);
    let body = json!([{
        "store": "S1", "terminal": "T1", "business_date": "2026-11-11", "sequence": 1, "kind": "exchange",
        "occurred_at": "2026-11-11T12:00:00.123456+08:00", "channel": "tmall", "currency": "CNY",
        "buyer": {"identities": [{"type": "till_card", "value": "C-1"}]},
        "lines": [
            {"line_no": 1, "sku": "A", "quantity": 2, "unit_price": fen(1000), "discount": fen(100)},
            {"line_no": 3, "sku": "B", "quantity": -1, "unit_price": fen(400), "original": {
                "store": "S2", "terminal": "T1", "business_date": "2026-11-10", "sequence": 7, "line_no": 4}},
        ],
        "tenders": [{"method": "cash", "amount": fen(2000)}, {"method": "cash", "amount": fen(-500)}],
    }]);
    let again = shop.post("/v1/pos/transactions", body).await;
    assert_eq!((results(&again), &again.body[0]["id"]), (vec!["known"], &answer.body[0]["id"]), "{}", again.body);
}

#[actix_web::test]
async fn what_cannot_be_read_is_refused_alone_and_by_its_field() {
    let shop = Shop::new().await;
    let change = |from: &str, to: &str| transaction(2, &SALE.replace(from, to));
    let cases = [
        (change("<ItemID>A</ItemID>", "<ItemID>GONE</ItemID>"), "unknown_reference", "lines[0].sku"),
        (change("<Amount>20.00</Amount>", "<Amount>21.00</Amount>"), "amount_mismatch", "tenders"),
        (change("Units=\"2\">2<", "Units=\"2\">2.5<"), "invalid_field", "lines[0].quantity"),
        (change("20.00</Amount>", "twenty</Amount>"), "invalid_field", "tenders[0].amount"),
        (transaction(2, SALE).replace("RetailTransaction", "ControlTransaction"), "invalid_field", "RetailTransaction"),
        (
            transaction(2, SALE).replace("<Transaction>", "<Transaction CancelFlag=\"true\">"),
            "invalid_field",
            "Transaction",
        ),
        (transaction(2, SALE).replace("+08:00", ""), "malformed", "occurred_at"),
    ];
    let mut all = vec![transaction(1, SALE)];
    all.extend(cases.iter().map(|(text, _, _)| text.clone()));
    let answer = post(&shop, "?channel=tmall", log(&all)).await;
    assert_eq!((answer.status, answer.body[0]["result"].as_str()), (200, Some("new")), "{}", answer.body);
    for ((_, code, field), outcome) in cases.iter().zip(answer.body.as_array().unwrap().iter().skip(1)) {
        let problem = &outcome["problem"];
        assert_eq!((&problem["code"], &problem["errors"][0]["field"]), (&json!(code), &json!(field)), "{problem}");
    }
}

#[actix_web::test]
async fn a_document_that_is_none_is_refused_as_a_whole() {
    let shop = Shop::new().await;
    for bad in ["", "<POSLog>", "<Log/>", "<!DOCTYPE POSLog><POSLog/>"] {
        assert_eq!(post(&shop, "?channel=tmall", bad.to_owned()).await.code(), (400, "malformed"), "{bad}");
    }
    assert_eq!(post(&shop, "?channel=tmall", log(&[])).await.code(), (422, "invalid_field"));
    let nameless = post(&shop, "", log(&[transaction(1, SALE)])).await;
    assert_eq!((nameless.code(), nameless.fields()), ((422, "invalid_field"), vec!["channel"]));
}
