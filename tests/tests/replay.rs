//! A few rows of every kind go the way of the replayed retailer, and their totals, added up by hand, come back.

use serde_json::{Value, json};
use system_tests::replay::places::Places;
use system_tests::replay::{Outcome, SETTINGS, Source, figures, rows, run};
use system_tests::{Deployment, Topology};

/// Two stores to keep everything, one to live beside.
const STORES: &str = "\
store_number,name,ownership,address,city,adcode_or_state,postcode,longitude,latitude
S-1,Harbour,Company Owned,1 Harbour Road,上海市,31,200000,121.47,31.23
S-2,Garden,Company Owned,2 Garden Road,上海市,31,200001,121.44,31.20
N-1,Bell Tower,Company Owned,3 Bell Road,北京市,11,100000,116.40,39.90
";

/// Sold, bought twice, finer than a penny, given away, found, lost, returned from two lines, from two orders, partly from one and from none, written off.
const ROWS: &str = "\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
1001,MUG,A MUG,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
1001,MUG,A MUG,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
1001,PIN,A PIN,1003,2010-12-01 08:26:00,0.001,17850.0,United Kingdom
1002,POST,POSTAGE,3,2010-12-01 08:45:00,18.0,12583.0,France
1003,MUG,A MUG,2,2010-12-01 09:00:00,5.06,,United Kingdom
1004,LAMP,,56,2010-12-01 11:52:00,0.0,,United Kingdom
1005,LAMP,damaged,-10,2010-12-01 16:50:00,0.0,,United Kingdom
1006,MUG,A MUG,1,2010-12-01 17:00:00,0.0,12583.0,France
C1007,MUG,A MUG,-4,2010-12-02 09:00:00,2.55,17850.0,United Kingdom
C1007,MUG,A MUG,-2,2010-12-02 09:00:00,2.55,17850.0,United Kingdom
C1007,MUG,A MUG,-5,2010-12-02 09:00:00,2.55,17850.0,United Kingdom
C1007,D,Discount,-1,2010-12-02 09:00:00,27.5,17850.0,United Kingdom
C1008,MUG,A MUG,-1,2010-12-02 09:05:00,5.06,,United Kingdom
A1009,B,Adjust bad debt,1,2010-12-02 10:00:00,-11062.06,,United Kingdom
1010,MUG,A MUG,1,2010-12-03 12:50:00,2.55,17850.0,United Kingdom
C1012,MUG,A MUG,-2,2010-12-03 12:55:00,2.55,17850.0,United Kingdom
C1013,PIN,A PIN,-1005,2010-12-03 12:56:00,0.001,17850.0,United Kingdom
C1011,PIN,A PIN,-7,2010-12-03 13:00:00,0.001,12700.0,Germany
";

fn by_hand() -> Value {
    json!({
        "raw": {
            "rows": 18,
            "invoices": 13,
            "cancel_invoices_C": 5,
            "adjust_invoices_A": 1,
            // 17850, 12583, and 12700, who has only ever brought something back.
            "customers": 3,
            // MUG, PIN, POST, LAMP, D, B.
            "stock_codes": 6,
            // The German has no order.
            "countries": 2,
            // 1003, 1004, 1005, C1008, A1009.
            "rows_without_customer": 5,
            "cancel_lines": 8,
            // −(4 + 2 + 5 + 2) × 2.55 − 27.50 − 5.06 − (1005 + 7) × 0.001
            "cancel_value": "-66.722",
            // 13 × 2.55 + 1003 × 0.001 + 3 × 18 + 2 × 5.06 = 98.273; −66.722; −11062.06
            "net_value_all": "-11030.509",
            // 12 + 1003 + 3 + 2 + 1 + 1 sold; 56 − 10; 13 + 1 + 1 + 1005 + 7 back; 1 written off
            "net_units": 42,
            "neg_qty_rows": 9,
            "neg_qty_not_cancel": 1,
            // 1004, 1005, 1006.
            "zero_price_rows": 3,
            "neg_price_rows": 1,
            "first": "2010-12-01 08:26:00",
            "last": "2010-12-03 13:00:00",
        },
        "clean": {
            // 1001 three times, 1002, 1010.
            "rows": 5,
            "customers": 2,
            "invoices": 3,
            "products": 3,
            // 12 + 1003 + 3 + 1
            "units": 1019,
            // 13 × 2.55 + 1.003 + 54
            "revenue": "88.153",
        },
        "with_customer_net_of_cancels": {
            // 5, the gift, C1007 four times, C1011, C1012, C1013.
            "rows": 13,
            // 1001, 1002, 1006, 1010, C1007, C1011, C1012, C1013.
            "invoices": 8,
            // 88.153 − 13 × 2.55 − 27.50 − 1.012
            "revenue": "26.491",
        },
    })
}

#[tokio::test]
async fn every_kind_of_row_is_accounted_for_and_every_total_comes_back() {
    let places = Places::read(STORES.as_bytes()).unwrap();
    let source = Source { rows: rows::read(ROWS.as_bytes(), usize::MAX).unwrap(), places, expected: by_hand() };
    let deployment = Deployment::start(Topology::Embedded, SETTINGS).await;
    let api = deployment.administrator().await;

    let report = run(&api, Some(&deployment), &source).await;

    assert_eq!(report.faults(), Vec::<String>::new());
    assert_eq!(report.figures.len(), 27);
    let outcomes = [
        // Of 1001's two lines of 6, −4 and −2 empty the later one and −5 comes from the earlier.
        // The two of C1012 come from 1010, whose one is the latest, and from 1001, which has one left.
        (Outcome::ReturnWithOriginal, 4),
        // Of the 1005 of C1013 only 1003 were bought.
        (Outcome::ReturnPartlyWithOriginal, 1),
        (Outcome::ReturnWithoutOriginal, 3),
        (Outcome::StockAdjustment, 2),
        (Outcome::Refused("bad_debt_entry".to_owned()), 1),
        (Outcome::OrderLine, 7),
    ];
    for (outcome, rows) in outcomes {
        assert_eq!(report.with_outcome(&outcome), rows, "{}", outcome.name());
    }
    // The sums over a part of the file follow the same rules as the published ones.
    let mut tally = figures::tally(&source.rows);
    // Where a total is about what OnePool has an order for, the file knows one country more.
    tally["raw"]["countries"] = json!(2);
    assert_eq!(tally, by_hand());
}
