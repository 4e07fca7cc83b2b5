//! From a request to the plan of its reply: what was found decides, then what the peer knows, then what it asks for.
//!
//! It does not know how names are opened, or how a form is chosen.

use super::fault::Fault;
use super::representation::Representation;
use super::root::Opened;
use super::{Files, Piece, Plan, PlanBody, listing};
use crate::http::{
    ByteRanges, ContentRange, DateCache, Head, Method, Multipart, PATH_BYTES_MAX, Precondition,
    RangeRequest, Status, Validators, decode_path, evaluate, if_range,
};
use crate::sys::{FileKind, Probe};
use std::borrow::Cow;
use std::os::fd::AsFd;
use std::sync::Arc;

const METHODS: &str = "GET, HEAD, OPTIONS";

/// What [`Files::plan`](super::Files::plan) says.
pub(super) fn answer(
    files: &Files,
    probe: &mut impl Probe,
    head: &Head<'_>,
    path: &[u8],
    now: u64,
) -> Plan {
    match head.method {
        Method::Get | Method::Head => {}
        Method::Options => {
            let mut plan = Plan::new(Status::NO_CONTENT);
            plan.put("Allow", METHODS);
            return plan;
        }
        _ => {
            let sentence = "Files can only be read.";
            let mut plan = Plan::sentence(Status::METHOD_NOT_ALLOWED, sentence);
            plan.put("Allow", METHODS);
            return plan;
        }
    }
    let mut out = [0; PATH_BYTES_MAX];
    let path = match decode_path(path, &mut out) {
        Ok(path) => path,
        Err(error) => return Plan::sentence(error.status(), error.reason()),
    };
    if path.is_hidden() && !files.hidden {
        return Fault::Missing.plan();
    }
    let mut offer = Offer {
        files,
        probe,
        head,
        now,
    };
    let answer = if path.is_directory() {
        offer.directory(path.as_bytes())
    } else {
        offer.file(path.as_bytes())
    };
    answer.unwrap_or_else(Fault::plan)
}

struct Offer<'a, P> {
    files: &'a Files,
    probe: &'a mut P,
    head: &'a Head<'a>,
    now: u64,
}

impl<P: Probe> Offer<'_, P> {
    fn find(&mut self, name: &[u8]) -> Result<Opened, Fault> {
        let opened = self.files.root.find(self.probe, name);
        opened.map_err(|error| Fault::of(&error))
    }

    /// A path without a slash at its end.
    fn file(&mut self, name: &[u8]) -> Result<Plan, Fault> {
        let opened = self.find(name)?;
        match opened.stat.kind {
            FileKind::Regular => Ok(self.content(name, opened)),
            FileKind::Directory => Ok(redirect(self.head)),
            FileKind::Link | FileKind::Socket | FileKind::Other => Err(Fault::Missing),
        }
    }

    /// A path with a slash at its end, or the root.
    fn directory(&mut self, name: &[u8]) -> Result<Plan, Fault> {
        if !self.files.index.is_empty() {
            let mut index = name.to_vec();
            if !index.is_empty() {
                index.push(b'/');
            }
            index.extend_from_slice(self.files.index.as_bytes());
            match self.find(&index) {
                Ok(opened) if opened.stat.kind == FileKind::Regular => {
                    return Ok(self.content(&index, opened));
                }
                Ok(_) | Err(Fault::Missing) => {}
                Err(fault) => return Err(fault),
            }
        }
        if !self.files.listing {
            return Err(Fault::Missing);
        }
        let opened = self.find(name)?;
        if opened.stat.kind != FileKind::Directory {
            return Err(Fault::Missing);
        }
        // RFC 9110 §13.1.1: a page without validators has none that match, but it exists.
        if let Some(plan) = self.conditions(&Validators::default(), None) {
            return Ok(plan);
        }
        let page = listing::page(self.probe, opened.file.as_fd(), name, self.files.hidden)
            .map_err(|error| Fault::of(&error))?;
        let mut plan = Plan::new(Status::OK);
        plan.put("Content-Type", "text/html; charset=utf-8");
        plan.put("X-Content-Type-Options", "nosniff");
        // Names are escaped. If that ever fails, nothing in the page can run or load.
        plan.put("Content-Security-Policy", "default-src 'none'");
        plan.body = PlanBody::Text(Cow::Owned(page));
        Ok(plan)
    }

    /// The reply with a regular file, in the form that suits the peer.
    fn content(&mut self, name: &[u8], opened: Opened) -> Plan {
        let (files, fields) = (self.files, &self.head.fields);
        let chosen = Representation::choose(
            self.probe,
            &files.root,
            files.precompressed,
            fields,
            (name, opened),
            self.now,
        );
        let validators = chosen.validators();
        if let Some(plan) = self.conditions(&validators, Some(&chosen)) {
            return plan;
        }
        let method = self.head.method;
        let ranges = if if_range(fields, &validators, self.now) {
            RangeRequest::of(fields, method, chosen.bytes)
        } else {
            RangeRequest::Whole
        };
        match ranges {
            RangeRequest::Whole => self.whole(chosen),
            RangeRequest::Parts(parts) => self.parts(chosen, &parts),
            RangeRequest::Unsatisfiable => {
                let sentence = "The file has no such bytes.";
                let mut plan = Plan::sentence(Status::RANGE_NOT_SATISFIABLE, sentence);
                let length = chosen.bytes;
                let content_range = ContentRange::Unsatisfied { length };
                plan.put_owned("Content-Range", content_range.to_string());
                plan.put("Accept-Ranges", "bytes");
                plan
            }
        }
    }

    /// The reply to a request whose preconditions ask for another state than that of `validators`. `chosen` is what
    /// would be sent, if that is a file.
    fn conditions(
        &self,
        validators: &Validators<'_>,
        chosen: Option<&Representation>,
    ) -> Option<Plan> {
        let head = self.head;
        match evaluate(&head.fields, head.method, Some(validators), self.now) {
            Precondition::Proceed => None,
            Precondition::NotModified => {
                // RFC 9110 §15.4.5: what helps a cache, and no description of content that the peer has.
                let mut plan = Plan::new(Status::NOT_MODIFIED);
                if let Some(chosen) = chosen {
                    self.put_caching(&mut plan, chosen);
                }
                Some(plan)
            }
            Precondition::Failed => {
                let sentence = "The file is not in the state that the request requires.";
                Some(Plan::sentence(Status::PRECONDITION_FAILED, sentence))
            }
        }
    }

    fn whole(&self, chosen: Representation) -> Plan {
        let mut plan = Plan::new(Status::OK);
        plan.put("Content-Type", chosen.content_type);
        put_description(&mut plan, &chosen);
        self.put_delivery(&mut plan, &chosen);
        if chosen.bytes > 0 {
            plan.body = PlanBody::File {
                range: 0..chosen.bytes,
                file: Arc::new(chosen.into_file()),
            };
        }
        plan
    }

    fn parts(&self, chosen: Representation, parts: &ByteRanges) -> Plan {
        let mut plan = Plan::new(Status::PARTIAL_CONTENT);
        let length = chosen.bytes;
        // RFC 9110 §15.3.7: an If-Range that held says that the peer has a part, and with it these fields. Without one it
        // gets what 200 would have said.
        let is_described = self.head.fields.find("if-range").is_some();
        if !is_described {
            put_description(&mut plan, &chosen);
        }
        self.put_delivery(&mut plan, &chosen);
        if let [range] = parts.as_slice() {
            let range = range.clone();
            if !is_described {
                plan.put("Content-Type", chosen.content_type);
            }
            let content_range = ContentRange::Part {
                range: range.clone(),
                length,
            };
            plan.put_owned("Content-Range", content_range.to_string());
            let file = Arc::new(chosen.into_file());
            plan.body = PlanBody::File { file, range };
            return plan;
        }
        let multipart = Multipart {
            boundary: self.files.boundary(),
            content_type: chosen.content_type,
            length,
        };
        // RFC 9110 §15.3.7.2: with several parts, Content-Range stands in each and not here.
        plan.put_owned("Content-Type", multipart.media_type());
        let mut pieces = Vec::with_capacity(2 * parts.as_slice().len() + 1);
        for (number, range) in parts.as_slice().iter().enumerate() {
            let mut opening = String::new();
            multipart.opening(number, range, &mut opening);
            pieces.push(Piece::Bytes(opening.into_bytes()));
            pieces.push(Piece::File(range.clone()));
        }
        let mut closing = String::new();
        multipart.closing(&mut closing);
        pieces.push(Piece::Bytes(closing.into_bytes()));
        let file = Arc::new(chosen.into_file());
        plan.body = PlanBody::Pieces { file, pieces };
        debug_assert_eq!(
            plan.content_length(),
            multipart.content_length(parts.as_slice())
        );
        plan
    }

    /// The fields of every reply with content of a file.
    fn put_delivery(&self, plan: &mut Plan, chosen: &Representation) {
        plan.put("Accept-Ranges", "bytes");
        self.put_caching(plan, chosen);
    }

    /// The fields that 304 has too.
    fn put_caching(&self, plan: &mut Plan, chosen: &Representation) {
        plan.put_owned("ETag", format!("\"{}\"", chosen.tag));
        if chosen.negotiated {
            plan.put("Vary", "Accept-Encoding");
        }
        if let Some(cache_control) = &self.files.cache_control {
            plan.put_owned("Cache-Control", cache_control.as_str());
        }
    }
}

/// The fields that say what a file is. They stand beside its type.
fn put_description(plan: &mut Plan, chosen: &Representation) {
    plan.put("X-Content-Type-Options", "nosniff");
    if let Some(coding) = chosen.coding {
        plan.put("Content-Encoding", coding.name());
    }
    if let Some(seconds) = chosen.last_modified {
        let mut date = DateCache::new();
        date.update(seconds);
        plan.put_owned("Last-Modified", *date.as_bytes());
    }
}

/// A directory without its slash: relative links in its index would miss it.
fn redirect(head: &Head<'_>) -> Plan {
    // Two slashes in front would make a host of the first segment, and send the browser to whoever owns that.
    let path = head.target.path();
    let start = path.iter().position(|&byte| byte != b'/');
    let path = &path[start.unwrap_or(path.len())..];
    let mut location = [b"/", path, b"/"].concat();
    if let Some(query) = head.target.query() {
        location.push(b'?');
        location.extend_from_slice(query);
    }
    let sentence = "The directory has a slash at its end.";
    let mut plan = Plan::sentence(Status::MOVED_PERMANENTLY, sentence);
    plan.put_owned("Location", location);
    plan
}
