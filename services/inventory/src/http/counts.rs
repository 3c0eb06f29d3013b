//! Counts: blind until they are submitted.

use std::collections::BTreeSet;

use actix_web::HttpResponse;
use contracts::Problem;
use kernel::quantity::MAX_QUANTITY;
use kernel::{LocationCode, Page, SkuCode, Timestamp};
use serde::{Deserialize, Serialize};
use service::write;
use store::Error;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use web::{Answer, Data, Failure, Json, Meta, Path, Principal, Query, answer, page};

use super::deliveries::{MAX_TEXT, check_lines};
use super::step::{View, step};
use super::{State, adjustments, check_text, locations_asked};
use crate::app::caller::Caller;
use crate::app::cancel_count::cancel_count;
use crate::app::refusal::Refusal;
use crate::app::start_count::{Counting, NewCount, start_count};
use crate::app::submit_count::{Found, read_count, submit_count};
use crate::domain::document::{CountId, CountStatus, MAX_COUNTED};
use crate::store::code;
use crate::store::counts::{self, Count, CountLine, Filter};

/// A count as it is started.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CountBody {
    /// Where is counted.
    location: LocationCode,
    /// What is counted, at most 5,000 SKUs; everything that has a balance there, when left out.
    skus: Option<Vec<SkuCode>>,
    /// The caller's own reference, at most 200 characters.
    reference: Option<String>,
}

/// What was found.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitBody {
    /// What was found, each SKU once, at most 5,000. A SKU that is not named was not counted, and stays as it is.
    #[schema(min_items = 1, max_items = 5000)]
    lines: Vec<FoundLine>,
}

/// What was found of one SKU.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FoundLine {
    /// The SKU; one that was not looked for counts too.
    sku: SkuCode,
    /// Units found, those in quarantine among them.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    counted: i64,
    /// When they were counted, from the start of the count until now: the books of that instant are compared. Those of the
    /// start of the count are, when left out.
    counted_at: Option<Timestamp>,
}

/// One SKU of a count. What the books say is not shown before the count is submitted.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CountLineView {
    /// The SKU.
    sku: SkuCode,
    /// What the books said.
    #[serde(skip_serializing_if = "Option::is_none")]
    booked: Option<i64>,
    /// What was found; absent when it was not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    counted: Option<i64>,
    /// When it was found, if somebody said.
    #[serde(skip_serializing_if = "Option::is_none")]
    counted_at: Option<Timestamp>,
    /// Counted − booked, as it was posted.
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<i64>,
}

impl TryFrom<CountLine> for CountLineView {
    type Error = Error;

    fn try_from(line: CountLine) -> Result<Self, Error> {
        Ok(Self {
            sku: code(&line.sku)?,
            booked: line.booked,
            counted: line.counted,
            counted_at: line.counted_at.map(Timestamp::from),
            difference: line.counted.zip(line.booked).map(|(counted, booked)| counted.saturating_sub(booked)),
        })
    }
}

/// A count as it is read.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CountView {
    /// Its id.
    id: Uuid,
    /// Where it stands.
    status: CountStatus,
    /// Where is counted.
    location: LocationCode,
    /// The caller's own reference.
    reference: Option<String>,
    /// What is counted; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<Vec<CountLineView>>,
    /// When counting began.
    created_at: Timestamp,
    /// Who began it.
    created_by: String,
    /// When it last changed.
    changed_at: Timestamp,
    /// Grows with every change; also the ETag.
    version: i64,
}

impl View for CountView {
    fn version(&self) -> i64 {
        self.version
    }
}

impl TryFrom<Count> for CountView {
    type Error = Error;

    fn try_from(count: Count) -> Result<Self, Error> {
        Ok(Self {
            id: count.id,
            status: count.status()?,
            location: code(&count.location)?,
            reference: count.reference,
            lines: None,
            created_at: count.created_at.into(),
            created_by: count.created_by,
            changed_at: count.changed_at.into(),
            version: count.version,
        })
    }
}

impl TryFrom<Counting> for CountView {
    type Error = Error;

    fn try_from(count: Counting) -> Result<Self, Error> {
        let lines = count.lines.into_iter().map(CountLineView::try_from).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { lines: Some(lines), ..Self::try_from(count.head)? })
    }
}

/// Start a count
///
/// The difference that is posted in the end is that to the books of this instant, so that what is sold or received while
/// somebody counts does not falsify it. What the books say is not shown.
#[utoipa::path(post, path = "/v1/counts", tag = "inventory", request_body = CountBody,
    responses((status = 201, body = CountView), (status = 422, body = Problem)))]
pub async fn post(state: Data<State>, meta: Meta, body: Json<CountBody>) -> Result<HttpResponse, Failure> {
    let body = body.into_inner();
    body.reference.as_ref().map_or(Ok(()), |text| check_text("reference", text, MAX_TEXT))?;
    if body.skus.as_ref().is_some_and(|skus| !(1..=MAX_COUNTED).contains(&skus.len())) {
        return Err(Problem::invalid("skus", format!("has 1 to {MAX_COUNTED} entries")).into());
    }
    let skus: Option<BTreeSet<SkuCode>> = body.skus.map(|skus| skus.into_iter().collect());
    if let Some(skus) = &skus {
        adjustments::wait_for_skus(&state.store, skus.iter().collect()).await?;
    }
    let wanted = NewCount { location: body.location, skus, reference: body.reference };
    let caller = Caller::of(&meta);
    write(&meta, &state.store, "start_count", move |tx| -> Result<service::Answer, Refusal> {
        let view = CountView::try_from(start_count(tx, &wanted, &caller)?)?;
        Ok(service::Answer::created(&view, view.version, format!("/v1/counts/{}", view.id))?)
    })
    .await
}

/// Read a count
#[utoipa::path(get, path = "/v1/counts/{id}", tag = "inventory", params(("id" = Uuid, Path, description = "The count's id")),
    responses((status = 200, body = CountView), (status = 404, body = Problem)))]
pub async fn get(state: Data<State>, principal: Principal, path: Path<CountId>) -> Answer {
    let id = path.into_inner();
    let view = CountView::try_from(state.store.read("get_count", move |tx| read_count(tx, id)).await?)?;
    principal.require_location(&view.location)?;
    Ok(answer::versioned(&view, view.version))
}

/// Which counts to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Where is counted.
    #[param(value_type = Option<String>)]
    location: Option<LocationCode>,
    /// Where they stand.
    #[param(inline)]
    status: Option<CountStatus>,
    /// At most so many items (default 50, at most 500).
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List counts, the newest first, without their lines
#[utoipa::path(get, path = "/v1/counts", tag = "inventory", params(ListQuery),
    responses((status = 200, body = Page<CountView>)))]
pub async fn list(state: Data<State>, principal: Principal, query: Query<ListQuery>) -> Answer {
    let query = query.into_inner();
    let (limit, before) = page::<Uuid>(query.limit, query.cursor)?;
    let filter = Filter {
        within: locations_asked(&principal, query.location.as_ref())?,
        location: query.location.map(String::from),
        status: query.status,
        before,
        limit: limit.saturating_add(1),
    };
    let rows = state.store.read("list_counts", move |tx| counts::list(tx, &filter)).await?;
    let views = rows.into_iter().map(CountView::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(answer::ok(&Page::from_rows(views, limit, |view| view.id)))
}

/// Submit a count
///
/// Posts counted − booked of each line, all or nothing. A difference that would leave fewer units than are promised and
/// quarantined is 409 `insufficient_stock`, which names line and numbers: take the promises back first.
#[utoipa::path(post, path = "/v1/counts/{id}/submit", tag = "inventory", request_body = SubmitBody,
    params(("id" = Uuid, Path, description = "The count's id")),
    responses((status = 200, body = CountView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 412, body = Problem), (status = 422, body = Problem)))]
pub async fn submit(
    state: Data<State>,
    meta: Meta,
    path: Path<CountId>,
    body: Json<SubmitBody>,
) -> Result<HttpResponse, Failure> {
    let lines = body.into_inner().lines;
    check_lines(lines.iter().map(|line| &line.sku), MAX_COUNTED)?;
    if let Some(index) = lines.iter().position(|line| !(0..=MAX_QUANTITY).contains(&line.counted)) {
        let detail = format!("lies between 0 and {MAX_QUANTITY}");
        return Err(Problem::invalid(format!("lines[{index}].counted"), detail).into());
    }
    let found = |line: FoundLine| Found { sku: line.sku, counted: line.counted, counted_at: line.counted_at };
    let found: Vec<Found> = lines.into_iter().map(found).collect();
    let id = path.into_inner();
    step::<CountView, _>(&state, &meta, "submit_count", move |tx, caller| submit_count(tx, id, &found, caller)).await
}

/// Cancel a count: nothing is posted
#[utoipa::path(post, path = "/v1/counts/{id}/cancel", tag = "inventory",
    params(("id" = Uuid, Path, description = "The count's id")),
    responses((status = 200, body = CountView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 412, body = Problem)))]
pub async fn cancel(state: Data<State>, meta: Meta, path: Path<CountId>) -> Result<HttpResponse, Failure> {
    let id = path.into_inner();
    step::<CountView, _>(&state, &meta, "cancel_count", move |tx, caller| cancel_count(tx, id, caller)).await
}
