//! Exports: a row for each line of the orders that a search finds, in the format that is asked for.

use std::io::Cursor;

use calamine::{Data, Reader, Xlsx};
use serde_json::{Value, json};

use crate::support::{Shop, code, fen, line, order, sku};

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The records of a csv by their names.
fn records(bytes: &[u8]) -> Vec<Vec<(String, String)>> {
    let mut reader = csv::Reader::from_reader(bytes);
    let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let record = |record: csv::StringRecord| names.iter().cloned().zip(record.iter().map(str::to_owned)).collect();
    reader.records().map(|read| record(read.unwrap())).collect()
}

fn field<'a>(record: &'a [(String, String)], name: &str) -> &'a str {
    record.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str()).unwrap()
}

async fn a_book() -> Shop {
    let shop = Shop::new().await;
    // Somebody names an order so that a spreadsheet program would compute it, and a SKU's category likewise.
    let mut dangerous = sku("D", &[]);
    dangerous.category = Some("@SUM(1+1)".to_owned());
    shop.hear(&dangerous).await;
    let mut body = order("=HYPERLINK(\"http://x\",\"y\")", json!([line(1, "A", 2, 1000), line(2, "D", 1, 500)]));
    (body["guide"], body["store"], body["discount"]) = (json!("G1"), json!("S1"), fen(250));
    body["placed_at"] = json!("2026-11-12T00:00:00+08:00");
    assert_eq!(shop.post("/v1/orders", body).await.status, 201);
    shop.placed("T-2", json!([line(1, "B", 3, 333)])).await;
    shop
}

#[actix_web::test]
async fn ndjson_and_csv_have_a_row_for_each_line() {
    let shop = a_book().await;
    let claims = shop.claims("order:read");
    let (media_type, body) = shop.bytes(&claims, "/v1/orders/export", "*/*").await;
    assert_eq!(media_type, "application/x-ndjson");
    let rows = lines(&body);
    let named = |row: &Value| (row["order_no"].as_str().unwrap().to_owned(), row["line_no"].as_i64().unwrap());
    let number = "=HYPERLINK(\"http://x\",\"y\")".to_owned();
    assert_eq!(rows.iter().map(named).collect::<Vec<_>>(), [(number.clone(), 1), (number, 2), ("T-2".to_owned(), 1)]);
    // 2.50 yuan of discount on 20.00 and 5.00: 2.00 and 0.50.
    let amounts =
        ["list_amount", "discount_amount", "paid_amount", "order_total_amount"].map(|name| rows[0][name].clone());
    assert_eq!(amounts, [2000, 200, 1800, 2250].map(|amount| json!(amount)));
    assert_eq!(
        (&rows[1]["paid_amount"], &rows[1]["guide"], &rows[2]["guide"]),
        (&json!(450), &json!("G1"), &Value::Null)
    );
    assert!(!String::from_utf8_lossy(&body).contains("13800138000"), "no telephone leaves in an export");

    let (media_type, body) = shop.bytes(&claims, "/v1/orders/export", "text/csv").await;
    assert_eq!(media_type, "text/csv; charset=utf-8; header=present");
    let records = records(&body);
    assert_eq!(records.len(), 3);
    let cells =
        ["order_no", "category", "line_no", "unit_price_decimal", "quantity", "store"].map(|it| field(&records[1], it));
    assert_eq!(cells, ["'=HYPERLINK(\"http://x\",\"y\")", "'@SUM(1+1)", "2", "5.00", "1", "S1"]);
    assert_eq!((field(&records[2], "order_no"), field(&records[2], "guide")), ("T-2", ""));
    // The format that is named counts more than what is accepted; the filters are those of the list.
    let (_, body) = shop.bytes(&claims, "/v1/orders/export?format=ndjson&sku=D", "text/csv").await;
    assert_eq!(lines(&body).len(), 2);
    for (query, rows) in
        [("status=sourcing", 3), ("status=shipped", 0), ("until=2026-11-11T12:00:00Z", 1), ("guide=G1", 2)]
    {
        let (_, body) = shop.bytes(&claims, &format!("/v1/orders/export?{query}"), "*/*").await;
        assert_eq!(lines(&body).len(), rows, "{query}");
    }
    for bad in ["format=pdf", "limit=5", "phone_tail=1", "status=lost"] {
        assert_eq!(shop.get(&format!("/v1/orders/export?{bad}")).await.fields().len(), 1, "{bad}");
    }
}

#[actix_web::test]
async fn a_workbook_is_read_back_as_it_is_in_the_book() {
    let shop = a_book().await;
    let (media_type, body) = shop.bytes(&shop.claims("order:read"), "/v1/orders/export", XLSX).await;
    assert_eq!(media_type, XLSX);
    let mut workbook = Xlsx::new(Cursor::new(body)).unwrap();
    let range = workbook.worksheet_range("orders 1").unwrap();
    let rows: Vec<&[Data]> = range.rows().collect();
    assert_eq!(rows.len(), 4);
    let column = |name: &str| rows[0].iter().position(|cell| *cell == Data::String(name.to_owned())).unwrap();
    let text = |text: &str| Data::String(text.to_owned());
    // A text is no formula here, so it stays as it is.
    assert_eq!(rows[1][column("order_no")], text("=HYPERLINK(\"http://x\",\"y\")"));
    assert_eq!((&rows[2][column("sku")], &rows[2][column("paid_amount")]), (&text("D"), &Data::Float(450.0)));
    assert_eq!((&rows[3][column("guide")], &rows[3][column("currency")]), (&Data::Empty, &text("CNY")));
}

#[actix_web::test]
async fn an_export_of_many_pages_has_every_line_once() {
    let shop = Shop::new().await;
    shop.test.database.execute(
        "SET search_path TO \"order\"; \
         INSERT INTO orders (order_id, channel, channel_order_no, content, placed_at, created_at, created_by, currency, \
         list_amount, discount_amount, freight_amount, total_amount, fulfilment_kind, document, status, payment_status) \
         SELECT gen_random_uuid(), CASE n % 3 WHEN 0 THEN 'till' ELSE 'tmall' END, 'X-' || n, '', \
         timestamptz '2026-11-05' + n / 7 * interval '1 second', now(), 'x', 'CNY', 0, 0, 0, 0, 'ship', \
         '{\"buyer\":{\"identities\":[]},\"fulfilment\":{\"type\":\"ship\"}}', 'shipped', 'paid' \
         FROM generate_series(1, 3000) n; \
         INSERT INTO order_numbers SELECT channel, channel_order_no, order_id, placed_at FROM orders \
         ON CONFLICT DO NOTHING; \
         INSERT INTO order_lines (order_id, line_no, sku, quantity, unit_price, own_discount, list_amount, \
         discount_amount, paid_amount, freight_amount) \
         SELECT order_id, line, 'A', 1, 0, 0, 0, 0, 0, 0 FROM orders, generate_series(1, 2) line",
    );
    let mut claims = shop.claims("order:read");
    let (_, body) = shop.bytes(&claims, "/v1/orders/export", "*/*").await;
    let mut rows: Vec<String> =
        lines(&body).iter().map(|row| format!("{}/{}", row["order_no"], row["line_no"])).collect();
    assert_eq!(rows.len(), 6000);
    rows.sort_unstable();
    rows.dedup();
    assert_eq!(rows.len(), 6000);
    // A caller of one channel gets its orders alone, of which there are a thousand.
    claims.channels = Some([code("till")].into());
    let (_, body) = shop.bytes(&claims, "/v1/orders/export?status=shipped&format=csv", "*/*").await;
    let found = records(&body);
    assert_eq!(found.len(), 2000);
    assert!(found.iter().all(|record| field(record, "channel") == "till"));
}

#[actix_web::test]
async fn the_examples_of_the_documentation_are_answered() {
    let shop = Shop::new().await;
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/orders.md")).unwrap();
    let examples: Vec<&str> = page.split("\"$ONEPOOL").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(examples.len() >= 4, "{examples:?}");
    for path in examples {
        let path =
            path.replace("$ORDER", &shop.placed(&format!("T-{}", path.len()), json!([line(1, "A", 1, 1)])).await);
        let answer = shop.get(&path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }
}

#[actix_web::test]
async fn every_filter_of_the_list_is_one_of_the_export() {
    let shop = a_book().await;
    let held = shop.get("/v1/orders?order_no=T-2").await.body["items"][0]["id"].as_str().unwrap().to_owned();
    let reason = json!({"reason": "checked by hand"});
    assert_eq!(shop.post(&format!("/v1/orders/{held}/hold"), reason).await.status, 200);
    let openapi = shop.get("/openapi.json").await.body;
    let names: Vec<&str> = openapi["paths"]["/v1/orders"]["get"]["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .filter(|name| !["limit", "cursor"].contains(name))
        .collect();
    // One value of each that finds an order, and one that finds the other or none.
    let value = |name: &str| match name {
        "channel" => ["tmall", "till"],
        "order_no" => ["T-2", "T-9"],
        "order_no_prefix" => ["T-", "X"],
        "parent_order_no" => ["P-1", "P-2"],
        "phone_tail" => ["8000", "1111"],
        "sku" => ["B", "D"],
        "store" => ["S1", "W1"],
        "guide" => ["G1", "G2"],
        "member" => ["01935f00-0000-7000-8000-000000000001", "01935f00-0000-7000-8000-000000000002"],
        "held" => ["true", "false"],
        "status" => ["sourcing", "cancelled"],
        "payment_status" => ["paid", "refunded"],
        "from" | "until" => ["2026-11-11T12:00:00Z", "2026-11-10T00:00:00Z"],
        other => panic!("{other} is a filter that this test does not know"),
    };
    let claims = shop.claims("order:read");
    for name in names {
        for value in value(name) {
            let query = format!("{name}={}", value.replace('+', "%2B"));
            let page = shop.get(&format!("/v1/orders?{query}")).await.body;
            let listed: Vec<Value> = page["items"].as_array().unwrap().iter().map(|it| it["id"].clone()).collect();
            let (_, body) = shop.bytes(&claims, &format!("/v1/orders/export?{query}"), "*/*").await;
            let mut exported: Vec<Value> = lines(&body).iter().map(|row| row["order_id"].clone()).collect();
            exported.dedup();
            assert_eq!(exported, listed, "{query}");
        }
    }
}
