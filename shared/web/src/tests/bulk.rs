//! Imports and exports, line by line.

use actix_web::FromRequest;
use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use contracts::{Problem, ProblemCode};
use futures_util::stream;

use super::*;
use crate::ndjson::{self, Incoming};

/// An import that refuses nothing but the quantity 13, in batches of three.
async fn import(incoming: Incoming<OrderLine>) -> answer::Answer {
    ndjson::import(incoming, 3, |items| async move {
        assert!(!items.is_empty() && items.len() <= 3);
        if items.iter().any(|item| item.sku == "cut") {
            return Err(Failure::unavailable("the database went away"));
        }
        let outcome = |item: OrderLine| match item.quantity {
            13 => Err(Problem::invalid("quantity", "not thirteen")),
            quantity => Ok(format!("{}*{quantity}", item.sku)),
        };
        Ok(items.into_iter().map(outcome).collect())
    })
    .await
}

#[derive(Clone, Copy, serde::Serialize)]
struct Row {
    sku: &'static str,
    quantity: i64,
}

fn bulk_routes() -> Routes {
    vec![
        Route::post("/v1/stock/import", Access::Open, import),
        Route::get("/v1/stock/export", Access::Open, || async {
            ndjson::export(stream::iter([Ok(vec![1, 2]), Ok(vec![]), Ok(vec![3])]))
        }),
        Route::get("/v1/stock/table", Access::Open, |format: ndjson::Format| async move {
            let rows = [("a", 1), ("b,\"c\"", 2)].map(|(sku, quantity)| Row { sku, quantity });
            ndjson::export_as(format, &["sku", "quantity"], stream::iter([Ok(vec![rows[0]]), Ok(vec![rows[1]])]))
        }),
        Route::get("/v1/stock/broken", Access::Open, || async {
            ndjson::export(stream::iter([Ok(vec![1]), Err(Failure::internal("a secret"))]))
        }),
    ]
}

async fn send(media_type: &str, body: impl Into<Bytes>) -> Reply {
    send_limited(media_type, body, Limits::default()).await
}

async fn send_limited(media_type: &str, body: impl Into<Bytes>, limits: Limits) -> Reply {
    let shop = Shop::with(bulk_routes(), limits);
    let body: Bytes = body.into();
    shop.send(TestRequest::post().uri("/v1/stock/import").insert_header(("content-type", media_type)).set_payload(body))
        .await
}

fn lines(reply: &Reply) -> Vec<Value> {
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some("application/x-ndjson"));
    reply.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[actix_web::test]
async fn every_line_has_its_answer_in_order() {
    let body = concat!(
        "{\"sku\":\"a\",\"quantity\":1}\n",
        "{\"sku\":\"b\",\"quantity\":13}\r\n",
        "\n",
        "{\"sku\":\"c\",\"quantity\":\"x\"}\n",
        "nonsense\n",
        "{\"sku\":\"d\",\"quantity\":2,\"y\":1}\n",
        "{\"sku\":\"e\",\"quantity\":5}",
    );
    let lines = lines(&send("application/x-ndjson", body).await);
    let numbers: Vec<_> = lines.iter().map(|line| line["line"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 4, 5, 6, 7]);
    assert_eq!(lines[0], json!({"line": 1, "result": "a*1"}));
    assert_eq!(lines[1]["problem"]["code"], "invalid_field");
    assert_eq!(lines[2]["problem"]["errors"][0]["field"], "quantity");
    assert_eq!(lines[3]["problem"]["code"], "malformed");
    assert_eq!(lines[4]["problem"]["errors"][0]["field"], "y");
    assert_eq!(lines[5], json!({"line": 7, "result": "e*5"}));
}

#[actix_web::test]
async fn csv_is_read_as_the_same_items() {
    let lines = lines(&send("text/csv; charset=utf-8", "sku,quantity\n0042,7\n\"a,b\",13\nc,x\n").await);
    assert_eq!(lines[0], json!({"line": 2, "result": "0042*7"}));
    assert_eq!(lines[1]["problem"]["code"], "invalid_field");
    assert_eq!((&lines[2]["line"], &lines[2]["problem"]["errors"][0]["field"]), (&json!(4), &json!("quantity")));
}

#[actix_web::test]
async fn a_line_that_is_too_long_or_not_text_is_refused_alone() {
    let mut body = b"{\"sku\":\"a\",\"quantity\":1}\n".to_vec();
    body.extend(format!("{{\"sku\":\"{}\",\"quantity\":1}}\n", "x".repeat(5_000)).into_bytes());
    body.extend(b"{\"sku\":\"\xff\",\"quantity\":1}\n{\"sku\":\"b\",\"quantity\":2}\n");
    let lines =
        lines(&send_limited("application/x-ndjson", body, Limits { line_bytes: 100, ..Limits::default() }).await);
    assert_eq!(lines[0]["result"], "a*1");
    assert_eq!(lines[1]["problem"]["code"], ProblemCode::TooLarge.as_str());
    assert_eq!(lines[2]["problem"]["code"], ProblemCode::Malformed.as_str());
    assert_eq!(lines[3]["result"], "b*2");
}

#[actix_web::test]
async fn when_the_work_fails_the_later_lines_are_told_and_not_tried() {
    let line = |sku: &str| format!("{{\"sku\":\"{sku}\",\"quantity\":1}}\n");
    let body: String = ["a", "b", "c", "d", "cut", "f", "g"].map(line).concat();
    let lines = lines(&send("application/x-ndjson", body).await);
    assert_eq!(lines.len(), 7);
    assert_eq!(lines[2]["result"], "c*1");
    for line in &lines[3..] {
        assert_eq!(line["problem"]["code"], "unavailable");
        assert!(!line.to_string().contains("database"));
    }
}

/// The answer to a body whose sender is gone in the middle of a line.
async fn send_and_leave(media_type: &str, whole: &[String]) -> Vec<Value> {
    let pieces = whole.iter().map(|line| Ok(Bytes::from(line.clone())));
    let cut = [Ok(Bytes::from_static(b"{\"sku\":\"half")), Err(PayloadError::Incomplete(None))];
    let body: Vec<_> = pieces.chain(cut).collect();
    let mut payload: Payload = Payload::Stream { payload: Box::pin(stream::iter(body)) };
    let request = TestRequest::post().insert_header(("content-type", media_type)).to_http_request();
    let incoming = Incoming::<OrderLine>::from_request(&request, &mut payload).await.unwrap();
    let answer = to_bytes(import(incoming).await.unwrap().into_body()).await.unwrap();
    answer.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

/// The lines before it are done and answered, also those worked on while it came, and it is told by its own number.
#[actix_web::test]
async fn an_import_that_is_cut_off_does_what_came_whole() {
    let json = |number: usize| format!("{{\"sku\":\"s{number}\",\"quantity\":1}}\n");
    let csv = |number: usize| format!("s{number},1\n");
    for whole in 0..8 {
        let lines = send_and_leave("application/x-ndjson", &(0..whole).map(json).collect::<Vec<_>>()).await;
        let rows: Vec<String> = std::iter::once("sku,quantity\n".to_owned()).chain((0..whole).map(csv)).collect();
        for (first, answers) in [(1, lines), (2, send_and_leave("text/csv", &rows).await)] {
            let (last, done) = answers.split_last().unwrap();
            let expected: Vec<Value> =
                (0..whole).map(|number| json!({"line": first + number, "result": format!("s{number}*1")})).collect();
            assert_eq!(done, expected);
            assert_eq!((&last["line"], last["problem"]["code"].is_string()), (&json!(first + whole), true), "{last}");
        }
    }
}

#[actix_web::test]
async fn a_large_import_is_answered_whole() {
    let body: String = (0..60_000).map(|n| format!("{{\"sku\":\"sku-{n}\",\"quantity\":1}}\n")).collect();
    let lines = lines(&send("application/x-ndjson", body).await);
    assert_eq!(lines.len(), 60_000);
    assert_eq!(lines[59_999], json!({"line": 60_000, "result": "sku-59999*1"}));
}

#[actix_web::test]
async fn an_empty_import_has_an_empty_answer_and_another_type_is_415() {
    assert!(lines(&send("application/x-ndjson", "").await).is_empty());
    assert!(lines(&send("text/csv", "").await).is_empty());
    assert!(lines(&send("text/csv", "sku,quantity\n").await).is_empty());
    let reply = send("application/vnd.ms-excel", "x").await;
    assert_eq!((reply.status.as_u16(), reply.problem().as_str()), (415, "unsupported_media_type"));
}

#[actix_web::test]
async fn an_export_is_lines_and_a_broken_one_is_cut() {
    let shop = Shop::with(bulk_routes(), Limits::default());
    assert_eq!(shop.send(get("/v1/stock/export")).await.text(), "1\n2\n3\n");
    let service = service(&shop.site).await;
    let response = call_service(&service, get("/v1/stock/broken").to_request()).await;
    assert!(to_bytes(response.into_body()).await.is_err());
}

#[actix_web::test]
async fn an_export_is_in_the_format_that_is_asked_for() {
    let shop = Shop::with(bulk_routes(), Limits::default());
    let get = |accept: &'static str| {
        let request = TestRequest::get().uri("/v1/stock/table").insert_header(("accept", accept));
        let shop = &shop;
        async move { shop.send(request).await }
    };
    let csv = "sku,quantity\na,1\n\"b,\"\"c\"\"\",2\n";
    for accept in ["text/csv", "text/html, Text/CSV;q=0.9, */*"] {
        let reply = get(accept).await;
        assert_eq!(reply.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
        assert_eq!(reply.text(), csv);
    }
    for accept in ["*/*", "application/x-ndjson, text/csv"] {
        let reply = get(accept).await;
        assert_eq!(lines(&reply), [json!({"sku": "a", "quantity": 1}), json!({"sku": "b,\"c\"", "quantity": 2})]);
    }
}
