//! Lists: paging, sorting, filtering, and the envelope around a page.

use std::cmp::Ordering;

use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use serde_json::{Value, json};

use super::filter::Filter;
use super::problem::Problem;
use super::resource::{Resource, base};

const DEFAULT_SIZE: usize = 20;

/// The query parameters of a read, checked.
#[derive(Clone, Debug)]
pub(crate) struct Listing {
    path: String,
    base: String,
    /// The parameters that the links repeat, `page` and `size` aside.
    rest: String,
    page: usize,
    size: usize,
    sort: Vec<(String, Direction)>,
    filter: Option<Filter>,
    with_page: bool,
    pub(crate) with_permissions: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Ascending,
    Descending,
}

impl Listing {
    /// The start of absolute links.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The page that was asked for. `links.next` is there even when nothing follows, as with GoodData.
    pub(crate) fn page_of(&self, mut resources: Vec<Resource>) -> Value {
        resources.retain(|resource| self.filter.as_ref().is_none_or(|filter| filter.matches(resource)));
        resources.sort_by(|one, other| self.compare(one, other));
        let total = resources.len();
        let page = resources
            .iter()
            .skip(self.page.saturating_mul(self.size))
            .take(self.size);
        let data: Vec<_> = page
            .map(|resource| resource.element(&self.base, self.with_permissions))
            .collect();
        let link = |page: usize| format!("{}{}?page={page}&size={}{}", self.base, self.path, self.size, self.rest);
        let mut list = json!({
            "data": data,
            "links": { "next": link(self.page.saturating_add(1)), "self": link(self.page) },
        });
        if self.with_page {
            list["meta"] = json!({ "page": {
                "number": self.page,
                "size": self.size,
                "totalElements": total,
                "totalPages": total.div_ceil(self.size),
            }});
        }
        list
    }

    fn compare(&self, one: &Resource, other: &Resource) -> Ordering {
        let by_property = |(property, direction): &(String, Direction)| {
            let order = one.property(property).cmp(&other.property(property));
            match direction {
                Direction::Ascending => order,
                Direction::Descending => order.reverse(),
            }
        };
        self.sort
            .iter()
            .map(by_property)
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Listing {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(pairs) = Query::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
        let raw = parts.uri.query().unwrap_or_default().split('&');
        let kept = raw.filter(|pair| !pair.is_empty() && !pair.starts_with("page=") && !pair.starts_with("size="));
        let mut listing = Self {
            path: parts.uri.path().to_owned(),
            base: base(&parts.headers),
            rest: kept.flat_map(|pair| ["&", pair]).collect(),
            page: 0,
            size: DEFAULT_SIZE,
            sort: Vec::new(),
            filter: None,
            with_page: false,
            with_permissions: false,
        };
        for (name, value) in pairs {
            match name.as_str() {
                "page" => listing.page = number(&name, &value)?,
                "size" => listing.size = number(&name, &value)?,
                "sort" => listing.sort.push(sort(&value)?),
                "filter" => listing.filter = Some(value.parse().map_err(Problem::bad_request)?),
                "metaInclude" => listing.include_meta(&value),
                _ => {}
            }
        }
        if listing.size == 0 {
            return Err(Problem::bad_request("Parameter 'size' must be at least 1."));
        }
        Ok(listing)
    }
}

impl Listing {
    fn include_meta(&mut self, value: &str) {
        for part in value.split(',') {
            let all = part.eq_ignore_ascii_case("all");
            self.with_page |= all || part == "page";
            self.with_permissions |= all || part == "permissions";
        }
    }
}

fn number(name: &str, value: &str) -> Result<usize, Problem> {
    value
        .parse()
        .map_err(|_| Problem::bad_request(format!("Parameter '{name}' must be a number of at least 0.")))
}

fn sort(value: &str) -> Result<(String, Direction), Problem> {
    let (property, direction) = value.split_once(',').unwrap_or((value, "asc"));
    let direction = match direction.to_ascii_lowercase().as_str() {
        "asc" => Direction::Ascending,
        "desc" => Direction::Descending,
        _ => return Err(Problem::bad_request("Parameter 'sort' must be property,(asc|desc).")),
    };
    Ok((property.to_owned(), direction))
}
