//! What tills wrote: taking it in, reading it.

use actix_web::{HttpRequest, HttpResponse};
use contracts::{Problem, ProblemCode};
use kernel::Page;
use kernel::id::PosTransactionId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use service::{Answer, write};
use store::Error;
use utoipa::{IntoParams, ToSchema};
use web::{Data, Failure, Meta, Path, Query, RawBody, answer};

use super::views::PosView;
use super::{PosQuery, poslog};
use crate::app::pos::record_transactions::{Record, Recorded, Refusal, record_transactions};
use crate::app::references::Needs;
use crate::domain::pos::check::{PricedLine, check};
use crate::domain::pos::form::PosForm;
use crate::http::App;
use crate::store::pos::transactions;

/// The most transactions in one request: a till that was offline sends its day in some requests, and each holds its till's
/// lock for some milliseconds.
pub const MAX_TRANSACTIONS: usize = 500;

/// What became of a transaction, in the place it had in the request.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Outcome {
    /// What became of it.
    result: Became,
    /// The transaction in the book.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<PosTransactionId>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem>,
}

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Became {
    /// It is in the book now.
    New,
    /// It was in the book with the same content.
    Known,
    /// It is not in the book; its number stays missing.
    Refused,
}

impl From<Result<Recorded, Problem>> for Outcome {
    fn from(recorded: Result<Recorded, Problem>) -> Self {
        match recorded {
            Ok(Recorded::New(id)) => Self { result: Became::New, id: Some(id), problem: None },
            Ok(Recorded::Known(id)) => Self { result: Became::Known, id: Some(id), problem: None },
            Err(problem) => Self { result: Became::Refused, id: None, problem: Some(problem) },
        }
    }
}

/// What a POSLog does not say.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RecordQuery {
    /// The channel that the tills of a POSLog sell for.
    channel: Option<String>,
}

/// Take what tills wrote
///
/// 1 to 500 transactions of any tills, in any order, as often as need be: store, terminal, business day and sequence name
/// each once and for all. Each is answered in its place: `new`, `known` (it was there with the same content) or `refused`
/// with the problem, which does not hold up the others. A POSLog (ARTS IXRetail) is taken as `application/xml`.
#[utoipa::path(post, path = "/v1/pos/transactions", tag = "order", params(RecordQuery), request_body(content(
    (Vec<PosForm> = "application/json"), (String = "application/xml"))), responses(
    (status = 200, body = Vec<Outcome>), (status = 400, body = Problem), (status = 415, body = Problem)))]
pub async fn record(
    app: Data<App>,
    meta: Meta,
    request: HttpRequest,
    query: Query<RecordQuery>,
    body: RawBody,
) -> Result<HttpResponse, Failure> {
    let forms = forms(&request, query.channel.as_deref(), &body.0)?;
    let mut checked = Vec::with_capacity(forms.len());
    let mut needs = Needs::default();
    for form in forms {
        let priced = form.and_then(|form| priced(&meta, form));
        if let Ok((form, _)) = &priced {
            needs.add_pos(form);
        }
        checked.push(priced);
    }
    let known = app.references.find(&needs).await?;
    let (client, now) = (meta.principal.client_id.to_string(), app.store.now());
    let mut records = Vec::with_capacity(checked.len());
    let mut places: Vec<Result<(), Problem>> = Vec::with_capacity(checked.len());
    for checked in checked {
        let record = checked.and_then(|(form, lines)| Ok(Record::new(form, &lines, &known, &client, now)?));
        places.push(record.map(|record| records.push(record)));
    }
    let cause = meta.cause.clone();
    write(&meta, &app.store, "record_pos_transactions", move |tx| -> Result<Answer, Error> {
        let mut recorded = record_transactions(tx, &records, &cause)?.into_iter();
        let missing = || Err(Refusal::Store(Error::Broken("a transaction has an outcome")));
        let outcome = |place: Result<(), Problem>| -> Result<Recorded, Problem> {
            place?;
            Ok(recorded.next().unwrap_or_else(missing)?)
        };
        let outcomes: Vec<Outcome> = places.into_iter().map(outcome).map(Outcome::from).collect();
        Answer::ok(&outcomes, None)
    })
    .await
}

type Checked = (PosForm, Vec<PricedLine>);

fn priced(meta: &Meta, form: PosForm) -> Result<Checked, Problem> {
    meta.principal.require_location(&form.store)?;
    meta.principal.require_channel(&form.channel)?;
    let priced = check(&form).map_err(Refusal::from)?;
    Ok((form, priced))
}

/// The transactions of a request, each readable or not.
fn forms(request: &HttpRequest, channel: Option<&str>, body: &[u8]) -> Result<Vec<Result<PosForm, Problem>>, Problem> {
    let media_type = request.headers().get("content-type").and_then(|it| it.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media_type.as_str() {
        "" | "application/json" => {
            let items: Vec<Box<RawValue>> = web::parse(body)?;
            bounded(items.len())?;
            Ok(items.iter().map(|item| web::parse(item.get().as_bytes())).collect())
        }
        "application/xml" | "text/xml" => {
            let missing = || Problem::invalid("channel", "is needed beside a POSLog, which knows none");
            let channel = channel.ok_or_else(missing)?;
            let broken = |detail: String| Problem::new(ProblemCode::Malformed).detail(detail);
            let text = std::str::from_utf8(body).map_err(|_| broken("a POSLog is written in UTF-8".to_owned()))?;
            let forms = poslog::forms(text, channel).map_err(broken)?;
            bounded(forms.len())?;
            Ok(forms)
        }
        _ => {
            let detail = "send the transactions as application/json, or a POSLog as application/xml";
            Err(Problem::new(ProblemCode::UnsupportedMediaType).detail(detail))
        }
    }
}

fn bounded(transactions: usize) -> Result<(), Problem> {
    if (1..=MAX_TRANSACTIONS).contains(&transactions) {
        return Ok(());
    }
    Err(Problem::invalid("", format!("a request has 1 to {MAX_TRANSACTIONS} transactions")))
}

/// Read what a till wrote
#[utoipa::path(get, path = "/v1/pos/transactions/{id}", tag = "order",
    params(("id" = Uuid, Path, description = "The transaction's id")),
    responses((status = 200, body = PosView), (status = 404, body = Problem)))]
pub async fn get(app: Data<App>, meta: Meta, path: Path<PosTransactionId>) -> Result<HttpResponse, Failure> {
    let id = path.into_inner();
    let read = app.store.read("get_pos_transaction", move |tx| transactions::of(tx, &[id.uuid()])).await?;
    let read = read.first().ok_or_else(|| Problem::not_found("transaction", id))?;
    let view = PosView::of(read)?;
    meta.principal.require_location(&view.store)?;
    Ok(answer::ok(&view))
}

/// List what the tills of a store wrote, the latest day first
#[utoipa::path(get, path = "/v1/pos/transactions", tag = "order", params(PosQuery),
    responses((status = 200, body = Page<PosView>), (status = 400, body = Problem)))]
pub async fn list(app: Data<App>, meta: Meta, query: Query<PosQuery>) -> Result<HttpResponse, Failure> {
    let (filter, limit) = query.into_inner().checked(&meta)?;
    let read =
        app.store.read("list_pos_transactions", move |tx| transactions::list(tx, &filter, limit.saturating_add(1)));
    let views = read.await?.iter().map(PosView::of).collect::<Result<Vec<_>, Error>>()?;
    Ok(answer::ok(&Page::from_rows(views, limit, |view| (view.business_date, view.terminal.clone(), view.sequence))))
}
