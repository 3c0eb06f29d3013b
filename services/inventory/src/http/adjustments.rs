//! Adjustments and opening balances.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use contracts::{Problem, ProblemCode};
use kernel::quantity::MAX_QUANTITY;
use kernel::{LocationCode, SkuCode};
use serde::{Deserialize, Serialize};
use service::{Platform, key_of};
use store::{BatchOptions, Batcher, Error, Store};
use utoipa::ToSchema;
use web::ndjson::{self, Incoming, LineAnswer};
use web::{Answer, Data, Failure, Json, Meta};

use super::keyed::{self, Answered, Keyed, Refused};
use super::stock::StockView;
use super::{State, check_text};
use crate::app::adjust_stock::{Adjust, Adjustment, Change, Refusal, adjust_stock};
use crate::store::catalog;

/// The most adjustments in one request: what a person sends; larger amounts are imported.
pub(super) const MAX_LINES: usize = 1_000;
/// Lines written in one transaction of an import: enough to share its cost, few enough that orders wait for a tenth of a
/// second.
const CHUNK: usize = 2_000;
/// The longest reason or reference, in characters.
pub(super) const MAX_TEXT: usize = 200;
/// How long a write waits for a SKU that was created a moment ago to become known here…
const SKU_WAIT: Duration = Duration::from_secs(1);
/// …and how often it looks.
const SKU_LOOK: Duration = Duration::from_millis(20);

/// Adjustments, gathered into transactions.
pub(super) type Adjustments = Batcher<Keyed<Arc<Adjust>>, Answered, Refused<Refusal>>;

/// Writers of stock take turns, so there is one lane; a batch is as many requests as came in meanwhile.
pub(super) fn gather(platform: &Platform) -> Adjustments {
    let options = BatchOptions { name: "adjust_stock", max_batch: 256, lanes: 1, rest: Duration::ZERO, queue: 4_096 };
    Batcher::new(&platform.store, options, &platform.lifecycle, |tx, batch: &[Keyed<Arc<Adjust>>]| {
        keyed::run(tx, batch, |tx, fresh| {
            let fresh: Vec<&Adjust> = fresh.iter().map(|adjust| Arc::as_ref(adjust)).collect();
            adjust_stock(tx, &fresh)?.into_iter().map(answer).collect()
        })
    })
}

type Outcome = Result<Vec<crate::store::stock::Balance>, Refusal>;

fn answer(outcome: Outcome) -> Result<Result<service::Answer, Refusal>, Error> {
    match outcome {
        Ok(balances) => {
            let views = balances.into_iter().map(StockView::try_from).collect::<Result<Vec<_>, _>>()?;
            Ok(Ok(service::Answer::ok(&views, None)?))
        }
        Err(refusal) => Ok(Err(refusal)),
    }
}

/// One adjustment: either `delta`, or `on_hand` with or without `expected_on_hand`; `safety` beside them or alone.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AdjustmentBody {
    /// The SKU.
    sku: SkuCode,
    /// Where.
    location: LocationCode,
    /// So many units more (or less, below 0).
    delta: Option<i64>,
    /// So many units from now on.
    on_hand: Option<i64>,
    /// Only if so many units are there.
    expected_on_hand: Option<i64>,
    /// Units never to be promised from now on; left as they are, when left out.
    safety: Option<i64>,
    /// Why, at most 200 characters.
    reason: String,
    /// The caller's own reference, at most 200 characters.
    reference: Option<String>,
}

impl AdjustmentBody {
    fn adjustment(self, index: usize) -> Result<Adjustment, Problem> {
        let at = |field: &str| format!("[{index}].{field}");
        let change = match (self.delta, self.on_hand, self.expected_on_hand) {
            (Some(0), None, None) => return Err(Problem::invalid(at("delta"), "is not 0")),
            (Some(delta), None, None) => Change::By(delta),
            (None, Some(on_hand), _) if on_hand < 0 => return Err(Problem::invalid(at("on_hand"), "is not below 0")),
            (None, Some(on_hand), expected) => Change::To { on_hand, expected },
            (Some(_), _, Some(_)) | (None, None, Some(_)) => {
                return Err(Problem::invalid(at("expected_on_hand"), "goes with on_hand"));
            }
            (Some(_), Some(_), None) => return Err(Problem::invalid(at("delta"), "is given instead of on_hand")),
            (None, None, None) if self.safety.is_some() => Change::Kept,
            (None, None, None) => return Err(Problem::invalid(at("delta"), "on_hand or safety is needed")),
        };
        if self.safety.is_some_and(|safety| !(0..=MAX_QUANTITY).contains(&safety)) {
            return Err(Problem::invalid(at("safety"), format!("lies between 0 and {MAX_QUANTITY}")));
        }
        check_text(&at("reason"), &self.reason, MAX_TEXT)?;
        if let Some(reference) = &self.reference {
            check_text(&at("reference"), reference, MAX_TEXT)?;
        }
        Ok(Adjustment {
            sku: self.sku,
            location: self.location,
            change,
            safety: self.safety,
            reason: self.reason,
            reference: self.reference,
        })
    }
}

/// Adjust balances, all or nothing
///
/// Answers the balances afterwards, one per adjustment. A balance that is not what `expected_on_hand` says is 409
/// `expectation_failed`; units that are promised or quarantined cannot be taken away, which is 409 `insufficient_stock`.
#[utoipa::path(post, path = "/v1/stock/adjustments", tag = "inventory", request_body = Vec<AdjustmentBody>,
    responses((status = 200, body = Vec<StockView>), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn post(state: Data<State>, meta: Meta, body: Json<Vec<AdjustmentBody>>) -> Result<HttpResponse, Failure> {
    let lines = body.into_inner();
    if !(1..=MAX_LINES).contains(&lines.len()) {
        return Err(Problem::invalid("", format!("a request has 1 to {MAX_LINES} adjustments")).into());
    }
    let mut adjustments = Vec::with_capacity(lines.len());
    for (index, line) in lines.into_iter().enumerate() {
        meta.principal.require_location(&line.location)?;
        adjustments.push(line.adjustment(index)?);
    }
    submit(&state, &meta, adjustments).await
}

/// Makes adjustments in the next transaction; SKUs that are not known yet are waited for.
pub(super) async fn submit(state: &State, meta: &Meta, adjustments: Vec<Adjustment>) -> Result<HttpResponse, Failure> {
    let command = Arc::new(Adjust { adjustments, actor: meta.principal.client_id.clone() });
    let keyed = || Keyed { key: key_of(meta), command: command.clone() };
    let mut outcome = state.adjustments.submit(keyed()).await;
    if let Err(Refused::ByRule(refusal)) = &outcome
        && refusal.is_unknown_sku()
        && wait_for_skus(&state.store, command.adjustments.iter().map(|it| &it.sku).collect()).await?
    {
        outcome = state.adjustments.submit(keyed()).await;
    }
    let (answer, replayed) = outcome?;
    state.stock_arrived.notify_one();
    Ok(answer.respond(replayed))
}

/// A SKU created a moment ago is on its way here: waits for it, in no transaction. Says whether all are known then.
pub(super) async fn wait_for_skus(store: &Store, skus: BTreeSet<&SkuCode>) -> Result<bool, Error> {
    let skus: Vec<String> = skus.into_iter().map(ToString::to_string).collect();
    let known = || {
        let skus = skus.clone();
        store.read("known_skus", move |tx| {
            let wanted: Vec<&str> = skus.iter().map(String::as_str).collect();
            Ok::<_, Error>(catalog::stockable(tx, &wanted)?.len() == wanted.len())
        })
    };
    let until_known = async {
        while !known().await? {
            tokio::time::sleep(SKU_LOOK).await;
        }
        Ok(true)
    };
    tokio::time::timeout(SKU_WAIT, until_known).await.unwrap_or(Ok(false))
}

/// One line of an import: the balance from now on.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StockLine {
    /// The SKU.
    sku: SkuCode,
    /// Where.
    location: LocationCode,
    /// Units there.
    on_hand: i64,
    /// Units never to be promised; left as it is, when left out.
    safety: Option<i64>,
}

impl StockLine {
    fn adjust(self, meta: &Meta) -> Result<Adjust, Problem> {
        meta.principal.require_location(&self.location)?;
        for (field, number) in [("on_hand", Some(self.on_hand)), ("safety", self.safety)] {
            if number.is_some_and(|number| number < 0) {
                return Err(Problem::invalid(field, "is not below 0"));
            }
        }
        let adjustment = Adjustment {
            sku: self.sku,
            location: self.location,
            change: Change::To { on_hand: self.on_hand, expected: None },
            safety: self.safety,
            reason: "imported".to_owned(),
            reference: None,
        };
        Ok(Adjust { adjustments: vec![adjustment], actor: meta.principal.client_id.clone() })
    }
}

/// What became of a line.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ImportedStock {
    /// The SKU.
    sku: SkuCode,
    /// Where.
    location: LocationCode,
    /// Units there.
    on_hand: i64,
    /// Units that may be promised.
    available: i64,
}

/// Import opening balances
///
/// Takes `application/x-ndjson` or `text/csv` of any length and answers a result line per input line. Lines are written in
/// chunks of 2,000; a refused line does not hold up its neighbours.
#[utoipa::path(post, path = "/v1/stock/import", tag = "inventory",
    request_body(content = StockLine, content_type = "application/x-ndjson"),
    responses((status = 200, body = LineAnswer<ImportedStock>, content_type = "application/x-ndjson")))]
pub async fn import(state: Data<State>, meta: Meta, lines: Incoming<StockLine>) -> Answer {
    ndjson::import(lines, CHUNK, move |lines: Vec<StockLine>| {
        let (state, meta) = (state.clone(), meta.clone());
        async move {
            let checked: Vec<Result<Arc<Adjust>, Problem>> =
                lines.into_iter().map(|line| line.adjust(&meta).map(Arc::new)).collect();
            let fine: Vec<Arc<Adjust>> = checked.iter().flatten().cloned().collect();
            let mut outcomes = write(&state.store, fine.clone()).await?;
            let late: Vec<Arc<Adjust>> = fine
                .iter()
                .zip(&outcomes)
                .filter(|(_, outcome)| outcome.as_ref().is_err_and(Refusal::is_unknown_sku))
                .map(|(adjust, _)| adjust.clone())
                .collect();
            if !late.is_empty() {
                let skus = late.iter().flat_map(|it| &it.adjustments).map(|it| &it.sku).collect();
                wait_for_skus(&state.store, skus).await?;
                let mut again = write(&state.store, late).await?.into_iter();
                for outcome in outcomes.iter_mut().filter(|it| it.as_ref().is_err_and(Refusal::is_unknown_sku)) {
                    *outcome = again.next().unwrap_or_else(|| outcome.clone());
                }
            }
            state.stock_arrived.notify_one();
            let mut outcomes = outcomes.into_iter();
            let done = checked.into_iter().map(|it| it.and_then(|_| imported(outcomes.next())));
            Ok(done.collect())
        }
    })
    .await
}

async fn write(store: &Store, lines: Vec<Arc<Adjust>>) -> Result<Vec<Outcome>, Error> {
    store
        .transact("import_stock", move |tx| adjust_stock(tx, &lines.iter().map(AsRef::as_ref).collect::<Vec<_>>()))
        .await
}

fn imported(outcome: Option<Outcome>) -> Result<ImportedStock, Problem> {
    let lost = || Problem::new(ProblemCode::Internal);
    let balance = outcome.ok_or_else(lost)?.map_err(line_problem)?.pop().ok_or_else(lost)?;
    let view = StockView::try_from(balance)?;
    Ok(ImportedStock { sku: view.sku, location: view.location, on_hand: view.on_hand, available: view.available })
}

/// A line is an object of its own: its fields carry no index.
fn line_problem(refusal: Refusal) -> Problem {
    let mut problem = Problem::from(refusal);
    for error in &mut problem.errors {
        error.field = error.field.trim_start_matches("[0].").to_owned();
    }
    problem
}
