//! Business days of tills, and the numbers that are missing.

use actix_web::HttpResponse;
use contracts::Problem;
use kernel::Page;
use service::{Answer, write};
use store::Error;
use web::{Data, Failure, Json, Meta, Query, answer};

use super::PosQuery;
use super::views::{DayView, GapView};
use crate::app::caller::Caller;
use crate::app::pos::close_day::{Refusal, books, close_day};
use crate::app::pos::record_transactions;
use crate::app::references::Needs;
use crate::domain::pos::check::check_day;
use crate::domain::pos::form::DayForm;
use crate::http::App;
use crate::store::pos::days;

/// Close a till's business day
///
/// With the till's own totals: the answer shows what was received against what was declared, and which numbers are missing.
/// Transactions that come later still count. The same totals again change nothing; others are answered 409.
#[utoipa::path(post, path = "/v1/pos/days", tag = "order", request_body = DayForm, responses(
    (status = 200, body = DayView), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn close(app: Data<App>, meta: Meta, body: Json<DayForm>) -> Result<HttpResponse, Failure> {
    let form = body.into_inner();
    meta.principal.require_location(&form.store)?;
    check_day(&form).map_err(record_transactions::Refusal::from)?;
    let mut needs = Needs::default();
    needs.add_location(&form.store);
    if app.references.find(&needs).await?.location(&form.store).is_none() {
        return Err(
            crate::app::refusal::Refusal::unknown("store", format!("{} is not a known location", form.store)).into()
        );
    }
    let caller = Caller::of(&meta);
    write(&meta, &app.store, "close_pos_day", move |tx| -> Result<Answer, Refusal> {
        let view = DayView::of(&close_day(tx, &form, &caller)?)?;
        Ok(Answer::ok(&view, view.version)?)
    })
    .await
}

/// List business days of a store's tills, the latest first
#[utoipa::path(get, path = "/v1/pos/days", tag = "order", params(PosQuery),
    responses((status = 200, body = Page<DayView>), (status = 400, body = Problem)))]
pub async fn list(app: Data<App>, meta: Meta, query: Query<PosQuery>) -> Result<HttpResponse, Failure> {
    let (filter, limit) = query.into_inner().checked(&meta)?;
    let read = app.store.read("list_pos_days", move |tx| {
        let rows = days::list(tx, &filter, limit.saturating_add(1))?;
        books(tx, rows)
    });
    let views = read.await?.iter().map(DayView::of).collect::<Result<Vec<_>, Error>>()?;
    Ok(answer::ok(&Page::from_rows(views, limit, |view| (view.business_date, view.terminal.clone(), 0))))
}

/// List the numbers that are missing, the latest day first
///
/// A number is missing when a later one of its till and day has come, or when the till said at closing that it wrote it.
#[utoipa::path(get, path = "/v1/pos/gaps", tag = "order", params(PosQuery),
    responses((status = 200, body = Page<GapView>), (status = 400, body = Problem)))]
pub async fn gaps(app: Data<App>, meta: Meta, query: Query<PosQuery>) -> Result<HttpResponse, Failure> {
    let (filter, limit) = query.into_inner().checked(&meta)?;
    let read = app.store.read("list_pos_gaps", move |tx| days::list_gaps(tx, &filter, limit.saturating_add(1)));
    let views: Vec<GapView> = read.await?.iter().map(GapView::from).collect();
    Ok(answer::ok(&Page::from_rows(views, limit, |view| (view.business_date, view.terminal.clone(), view.first))))
}
