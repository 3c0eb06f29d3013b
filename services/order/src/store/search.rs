//! Finds orders, the newest first, by any filter, in bounded work.
//!
//! Whatever is asked, one list proposes orders, the newest first, and the other lists say which of them are wanted. A page
//! looks at `EXAMINED` proposals at most: one that has found less by then says where it stopped, and the next goes on
//! there. The orders themselves, which lie all over the disk, are read only where no list tells: those that a number or a
//! member names, and those that the job has not sorted in yet. When those are too many, the channels' own lists propose,
//! which are always whole.

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use kernel::Timestamp;
use store::{Error, Tx};
use uuid::Uuid;

use super::{moves, terms};
use crate::domain::state::{OrderStatus, PaymentStatus};

/// The most proposals a page looks at: some tens of milliseconds' work where the orders themselves have to be read.
const EXAMINED: i64 = 2_000;
/// The most orders that a number, the beginning of one, or a member proposes at once.
const AT_ONCE: i64 = 2_000;
/// The most orders that are looked at because they are not sorted in yet.
const NOT_SORTED_IN: i64 = 2_000;
/// How many times as many proposals as the page has room for are looked at first, and then each time.
const GROWTH: i64 = 4;

/// Which orders are looked for; what is left out does not narrow it.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of these channels.
    pub channels: Option<Vec<String>>,
    /// With this number.
    pub order_no: Option<String>,
    /// With a number that begins so.
    pub order_no_prefix: Option<String>,
    /// With a telephone that ends in these four digits.
    pub phone_tail: Option<String>,
    /// With a line of this SKU.
    pub sku: Option<String>,
    /// Credited to this store.
    pub store: Option<String>,
    /// Credited to this guide.
    pub guide: Option<String>,
    /// Split from the purchase with this number.
    pub parent_order_no: Option<String>,
    /// Of this member.
    pub member: Option<Uuid>,
    /// Whether anything holds them.
    pub held: Option<bool>,
    /// In one of these states.
    pub statuses: Option<Vec<OrderStatus>>,
    /// With their money in one of these states.
    pub payment_statuses: Option<Vec<PaymentStatus>>,
    /// Placed at or after.
    pub from: Option<Timestamp>,
    /// Placed before.
    pub until: Option<Timestamp>,
    /// Older than this one: the page before ended here.
    pub before: Option<(Timestamp, Uuid)>,
}

/// A place in the list, which is the newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, QueryableByName)]
pub struct Place {
    /// When the order was placed.
    #[diesel(sql_type = Timestamptz)]
    pub placed_at: DateTime<Utc>,
    /// The order.
    #[diesel(sql_type = SqlUuid)]
    pub order_id: Uuid,
}

/// An order that a list proposes.
#[derive(Clone, Copy, Debug, QueryableByName)]
struct Proposal {
    #[diesel(embed)]
    place: Place,
    /// Whether all lists want it; not known where the channels' lists propose.
    #[diesel(sql_type = Bool)]
    wanted: bool,
}

/// A page of a list.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The orders, the newest first.
    pub places: Vec<Place>,
    /// Where the next page goes on; none after the last.
    pub next: Option<Place>,
}

impl Place {
    /// The place before which this one is the first.
    fn just_after(self) -> Self {
        Self { order_id: Uuid::from_u128(self.order_id.as_u128().saturating_add(1)), ..self }
    }
}

/// What proposes orders.
enum Source {
    /// These, all at once.
    Named(Vec<Uuid>),
    /// The channels' lists.
    Channels,
    /// The lists of terms, and beside them the orders that are not sorted in yet.
    Terms { terms: Vec<String>, unsorted: Vec<Uuid> },
}

impl Filter {
    fn document_terms(&self) -> Option<Vec<String>> {
        let parts = [
            ("parent", &self.parent_order_no),
            ("phone", &self.phone_tail),
            ("guide", &self.guide),
            ("store", &self.store),
        ];
        let terms: Vec<String> =
            parts.iter().filter_map(|(kind, value)| value.as_ref().map(|value| format!("{kind}:{value}"))).collect();
        (!terms.is_empty()).then_some(terms)
    }

    fn status_terms(&self) -> Option<Vec<String>> {
        self.statuses.as_ref().map(|all| all.iter().map(|it| terms::status(it.as_str())).collect())
    }

    /// None where paid orders are asked for, too: they are nearly all.
    fn payment_terms(&self) -> Option<Vec<String>> {
        let statuses = self.payment_statuses.as_ref().filter(|all| !all.contains(&PaymentStatus::Paid))?;
        Some(statuses.iter().map(|it| terms::payment(it.as_str())).collect())
    }

    /// The terms that an order must not have: paid orders have none for their money, so their list is what is in no other.
    fn unwanted_terms(&self) -> Vec<String> {
        let wanted = self.payment_statuses.as_ref().filter(|all| all.contains(&PaymentStatus::Paid));
        let unwanted =
            |all: &Vec<PaymentStatus>| PaymentStatus::ALL.iter().filter(|it| !all.contains(it)).copied().collect();
        let unwanted: Vec<PaymentStatus> = wanted.map(unwanted).unwrap_or_default();
        unwanted.iter().map(|it| terms::payment(it.as_str())).collect()
    }

    /// Every list of terms that an order must be in, unless it is not sorted in yet.
    fn lists(&self) -> Vec<Vec<String>> {
        let document = self.document_terms().unwrap_or_default().into_iter().map(|term| vec![term]);
        let sku = self.sku.as_ref().map(|sku| vec![format!("sku:{sku}")]);
        document.chain(self.payment_terms()).chain(sku).chain(self.status_terms()).collect()
    }

    /// Whether only time and channel narrow it: then the channels' lists propose nothing in vain.
    fn is_plain(&self) -> bool {
        self.order_no.is_none()
            && self.order_no_prefix.is_none()
            && self.sku.is_none()
            && self.member.is_none()
            && self.held.is_none()
            && self.statuses.is_none()
            && self.payment_statuses.is_none()
            && self.document_terms().is_none()
    }

    /// The lists beside the one that proposes: their terms, and of each the number of its list. A list that an order must not
    /// be in is numbered 0; the last has the greatest number.
    fn other_lists(&self, proposing: &[String]) -> (Vec<i64>, Vec<String>) {
        let unwanted = self.unwanted_terms().into_iter().map(|term| (0, term));
        let others = self.lists().into_iter().filter(|list| list != proposing);
        let others = (1..).zip(others).flat_map(|(number, list)| list.into_iter().map(move |term| (number, term)));
        unwanted.chain(others).unzip()
    }

    /// How many proposals are looked at first. All that a single list proposes is wanted, and the one after the page's last
    /// says that there is more.
    fn first_chunk(&self, limit: i64) -> i64 {
        let is_single =
            self.is_plain() || (self.lists().len() == 1 && self.unwanted_terms().is_empty() && self.held.is_none());
        let chunk = if is_single { limit.saturating_add(1) } else { limit.saturating_mul(GROWTH) };
        chunk.min(EXAMINED)
    }

    /// The list's beginning: everything is before it.
    fn beginning(&self) -> Place {
        let until = self.until.map_or(DateTime::<Utc>::MAX_UTC, Timestamp::utc);
        // PostgreSQL's years end before chrono's.
        let last = DateTime::from_timestamp(LAST_SECOND, 0).unwrap_or_default();
        let until = Place { placed_at: until.min(last), order_id: Uuid::nil() };
        match self.before {
            Some((at, id)) => until.min(Place { placed_at: at.utc(), order_id: id }),
            None => until,
        }
    }

    fn from(&self) -> DateTime<Utc> {
        let first = DateTime::from_timestamp(FIRST_SECOND, 0).unwrap_or_default();
        self.from.map_or(first, |from| from.utc().max(first))
    }
}

/// The ends of the years 1 to 9999, which no order is outside of.
const FIRST_SECOND: i64 = -62_135_596_800;
const LAST_SECOND: i64 = 253_402_300_799;

/// The newest `limit` orders of a list, or as many as can be found in bounded work.
pub fn search(tx: &mut Tx<'_>, filter: &Filter, limit: i64) -> Result<Found, Error> {
    let room = usize::try_from(limit).unwrap_or(usize::MAX);
    let source = source(tx, filter)?;
    let mut found: BTreeSet<Place> = match &source {
        Source::Named(ids) => return Ok(page(matching(tx, filter, ids)?.into_iter().collect(), None, room)),
        Source::Terms { unsorted, .. } => matching(tx, filter, unsorted)?.into_iter().collect(),
        Source::Channels => BTreeSet::new(),
    };
    let mut before = filter.beginning();
    let mut chunk = filter.first_chunk(limit);
    let mut left = EXAMINED;
    loop {
        let proposed = next(tx, filter, &source, before, chunk)?;
        let examined = i64::try_from(proposed.len()).unwrap_or(i64::MAX);
        let horizon = proposed.last().map(|it| it.place);
        found.extend(wanted(tx, filter, &source, &proposed)?);
        left = left.saturating_sub(examined);
        let Some(horizon) = horizon.filter(|_| examined >= chunk) else { return Ok(page(found, None, room)) };
        if left <= 0 || found.range(horizon..).count() > room {
            return Ok(page(found, Some(horizon), room));
        }
        before = horizon;
        chunk = chunk.saturating_mul(GROWTH).min(left);
    }
}

/// The next proposals, the newest first.
fn next(tx: &mut Tx<'_>, filter: &Filter, source: &Source, before: Place, limit: i64) -> Result<Vec<Proposal>, Error> {
    let Source::Terms { terms, .. } = source else { return propose(tx, filter, None, before, limit) };
    match skip(tx, filter, before)? {
        Some(before) => propose(tx, filter, Some(terms.as_slice()), before, limit),
        None => Ok(Vec::new()),
    }
}

/// Those of the proposals that the filter wants; those that are not sorted in yet have been looked at.
fn wanted(tx: &mut Tx<'_>, filter: &Filter, source: &Source, proposed: &[Proposal]) -> Result<Vec<Place>, Error> {
    match source {
        Source::Terms { unsorted, .. } => {
            let unsorted: HashSet<&Uuid> = unsorted.iter().collect();
            let wanted = proposed.iter().filter(|it| it.wanted && !unsorted.contains(&it.place.order_id));
            let wanted: Vec<Place> = wanted.map(|it| it.place).collect();
            match filter.held {
                None => Ok(wanted),
                // No list tells what is held.
                Some(_) => matching(tx, filter, &wanted.iter().map(|it| it.order_id).collect::<Vec<_>>()),
            }
        }
        _ if filter.is_plain() => Ok(proposed.iter().map(|it| it.place).collect()),
        _ => matching(tx, filter, &proposed.iter().map(|it| it.place.order_id).collect::<Vec<_>>()),
    }
}

/// The first of what was found down to the horizon, beyond which nobody has looked.
fn page(found: BTreeSet<Place>, horizon: Option<Place>, room: usize) -> Found {
    let mut places: Vec<Place> =
        found.into_iter().rev().take_while(|it| horizon.is_none_or(|horizon| *it >= horizon)).collect();
    if places.len() > room {
        places.truncate(room);
        return Found { next: places.last().copied(), places };
    }
    Found { places, next: horizon }
}

/// What proposes orders.
fn source(tx: &mut Tx<'_>, filter: &Filter) -> Result<Source, Error> {
    if let Some(ids) = named(tx, filter)? {
        let few = i64::try_from(ids.len()).is_ok_and(|few| few < AT_ONCE);
        return Ok(if few { Source::Named(ids) } else { Source::Channels });
    }
    let Some(terms) = best_terms(tx, filter)? else { return Ok(Source::Channels) };
    let unsorted = moves::latest(tx, NOT_SORTED_IN)?;
    let few = i64::try_from(unsorted.len()).is_ok_and(|few| few < NOT_SORTED_IN);
    Ok(if few { Source::Terms { terms, unsorted } } else { Source::Channels })
}

/// The terms with the shortest lists, as far as that can be told.
fn best_terms(tx: &mut Tx<'_>, filter: &Filter) -> Result<Option<Vec<String>>, Error> {
    if let Some(statuses) = &filter.statuses {
        let counts = moves::counts(tx, filter.channels.as_deref())?;
        let wanted = counts.iter().filter(|count| statuses.iter().any(|status| status.as_str() == count.status));
        if wanted.map(|count| count.orders).sum::<i64>() <= EXAMINED {
            return Ok(filter.status_terms());
        }
    }
    Ok(filter.lists().into_iter().next())
}

/// The place from which on an order can be in all of its lists; none where one of them has ended. States follow time, so
/// this leaps over most of what one list proposes in vain.
fn skip(tx: &mut Tx<'_>, filter: &Filter, before: Place) -> Result<Option<Place>, Error> {
    let lists = filter.lists();
    let mut at = before;
    for list in lists.iter().filter(|_| lists.len() > 1) {
        let Some(head) = propose(tx, filter, Some(list.as_slice()), at, 1)?.pop() else { return Ok(None) };
        at = head.place.just_after();
    }
    Ok(Some(at))
}

/// The orders that a number, the beginning of one, a member, or an open hold names.
fn named(tx: &mut Tx<'_>, filter: &Filter) -> Result<Option<Vec<Uuid>>, Error> {
    #[derive(QueryableByName)]
    struct Named {
        #[diesel(sql_type = SqlUuid)]
        order_id: Uuid,
    }
    let rows: Vec<Named> = if let Some(prefix) = filter.order_no.as_ref().or(filter.order_no_prefix.as_ref()) {
        let end = if filter.order_no.is_some() { String::new() } else { char::MAX.to_string() };
        diesel::sql_query(
            "SELECT k.order_id FROM (SELECT channel COLLATE \"C\" AS channel FROM known_channels \
             WHERE $1 IS NULL OR channel = ANY ($1)) AS c CROSS JOIN LATERAL \
             (SELECT o.order_id FROM order_numbers o WHERE o.channel = c.channel AND o.channel_order_no >= $2 \
             AND o.channel_order_no <= $3 ORDER BY o.channel_order_no LIMIT $4) AS k LIMIT $4",
        )
        .bind::<Nullable<Array<Text>>, _>(filter.channels.as_deref())
        .bind::<Text, _>(prefix)
        .bind::<Text, _>(format!("{prefix}{end}"))
        .bind::<BigInt, _>(AT_ONCE)
        .load(tx.conn())?
    } else if let Some(member) = filter.member {
        diesel::sql_query("SELECT order_id FROM order_members WHERE member_id = $1 LIMIT $2")
            .bind::<SqlUuid, _>(member)
            .bind::<BigInt, _>(AT_ONCE)
            .load(tx.conn())?
    } else if filter.held == Some(true) {
        diesel::sql_query("SELECT DISTINCT order_id FROM order_holds WHERE released_at IS NULL LIMIT $1")
            .bind::<BigInt, _>(AT_ONCE)
            .load(tx.conn())?
    } else {
        return Ok(None);
    };
    Ok(Some(rows.into_iter().map(|row| row.order_id).collect()))
}

/// The next orders of the lists of terms, or of the channels alone: each channel's list is read by its index. Whether the
/// other lists want them is read from those lists' indexes.
fn propose(
    tx: &mut Tx<'_>,
    filter: &Filter,
    terms: Option<&[String]>,
    before: Place,
    limit: i64,
) -> Result<Vec<Proposal>, Error> {
    let (table, lists, same_list) = match terms {
        Some(_) => ("order_terms", "CROSS JOIN unnest($2) AS t (term)", "i.term = t.term COLLATE \"C\""),
        None => ("order_numbers", "", "$2 IS NULL"),
    };
    let text = format!(
        "SELECT k.placed_at, k.order_id, coalesce((SELECT count(DISTINCT l.list) = $7 AND bool_and(l.list > 0) \
         FROM unnest($8, $9) AS l (list, term) JOIN order_terms i ON i.term = l.term COLLATE \"C\" \
         AND i.channel = k.channel AND i.placed_at = k.placed_at AND i.order_id = k.order_id), $7 = 0) AS wanted \
         FROM (SELECT channel COLLATE \"C\" AS channel FROM known_channels \
         WHERE $1 IS NULL OR channel = ANY ($1)) AS c {lists} CROSS JOIN LATERAL \
         (SELECT i.channel, i.placed_at, i.order_id FROM {table} i WHERE {same_list} AND i.channel = c.channel \
         AND i.placed_at >= $3 AND (i.placed_at, i.order_id) < ($4, $5) \
         ORDER BY i.placed_at DESC, i.order_id DESC LIMIT $6) AS k \
         ORDER BY k.placed_at DESC, k.order_id DESC LIMIT $6"
    );
    let (numbers, others) = terms.map(|terms| filter.other_lists(terms)).unwrap_or_default();
    Ok(diesel::sql_query(text)
        .bind::<Nullable<Array<Text>>, _>(filter.channels.as_deref())
        .bind::<Nullable<Array<Text>>, _>(terms)
        .bind::<Timestamptz, _>(filter.from())
        .bind::<Timestamptz, _>(before.placed_at)
        .bind::<SqlUuid, _>(before.order_id)
        .bind::<BigInt, _>(limit)
        .bind::<BigInt, _>(numbers.last().copied().unwrap_or_default())
        .bind::<Array<BigInt>, _>(numbers)
        .bind::<Array<Text>, _>(others)
        .load(tx.conn())?)
}

/// Those of some orders that the filter wants. They may be of many months, each of which is looked at for its own ones alone:
/// by a join, as a list of ids would be tried in every month. Months before the first and after the last are not planned for.
fn matching(tx: &mut Tx<'_>, filter: &Filter, ids: &[Uuid]) -> Result<Vec<Place>, Error> {
    let (Some(first), Some(last)) = (ids.iter().min(), ids.iter().max()) else { return Ok(Vec::new()) };
    let beginning = filter.beginning();
    let statuses: Option<Vec<&str>> = filter.statuses.as_ref().map(|all| all.iter().map(|it| it.as_str()).collect());
    let payments: Option<Vec<&str>> =
        filter.payment_statuses.as_ref().map(|all| all.iter().map(|it| it.as_str()).collect());
    Ok(diesel::sql_query(
        "SELECT o.placed_at, o.order_id FROM unnest($1) AS i (order_id) JOIN orders o USING (order_id) \
         WHERE o.order_id BETWEEN $13 AND $14 \
         AND ($2 IS NULL OR o.channel = ANY ($2)) AND ($3 IS NULL OR o.channel_order_no = $3) \
         AND ($4 IS NULL OR starts_with(o.channel_order_no, $4)) AND ($5 IS NULL OR o.status = ANY ($5)) \
         AND ($6 IS NULL OR o.payment_status = ANY ($6)) AND ($7 IS NULL OR EXISTS \
         (SELECT FROM order_members m WHERE m.order_id = o.order_id AND m.member_id = $7)) \
         AND ($8 IS NULL OR EXISTS (SELECT FROM order_lines l WHERE l.order_id = o.order_id \
         AND l.order_id BETWEEN $13 AND $14 AND l.sku = $8)) \
         AND o.placed_at >= $9 AND (o.placed_at, o.order_id) < ($10, $11) \
         AND ($12 IS NULL OR order_document_terms(o.document) @> $12) AND ($15 IS NULL OR o.held = $15)",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<Nullable<Array<Text>>, _>(filter.channels.as_deref())
    .bind::<Nullable<Text>, _>(filter.order_no.as_deref())
    .bind::<Nullable<Text>, _>(filter.order_no_prefix.as_deref())
    .bind::<Nullable<Array<Text>>, _>(statuses)
    .bind::<Nullable<Array<Text>>, _>(payments)
    .bind::<Nullable<SqlUuid>, _>(filter.member)
    .bind::<Nullable<Text>, _>(filter.sku.as_deref())
    .bind::<Timestamptz, _>(filter.from())
    .bind::<Timestamptz, _>(beginning.placed_at)
    .bind::<SqlUuid, _>(beginning.order_id)
    .bind::<Nullable<Array<Text>>, _>(filter.document_terms())
    .bind::<SqlUuid, _>(first)
    .bind::<SqlUuid, _>(last)
    .bind::<Nullable<Bool>, _>(filter.held)
    .load(tx.conn())?)
}
