//! The proof of the whole stock, over as many answers as it takes.

use serde_json::Value;

use crate::Api;

/// Proves every balance: how many there are, and what has drifted.
pub async fn whole(api: &Api) -> (i64, Vec<Value>) {
    let (mut checked, mut drift, mut path) = (0, Vec::new(), "/v1/stock/proof".to_owned());
    loop {
        let proof = api.get(&path).await.ok();
        checked += proof["checked"].as_i64().expect("a number of balances");
        drift.extend(proof["drift"].as_array().expect("what has drifted").iter().cloned());
        let Some(cursor) = proof["next_cursor"].as_str() else { return (checked, drift) };
        path = format!("/v1/stock/proof?cursor={cursor}");
    }
}
