//! Two services on one port.

use std::convert::Infallible;
use std::task::{Context, Poll};

use futures::future::Either;
use http::{Request, Response};
use tonic::body::Body;
use tower::Service;

/// Calls whose path starts with a prefix go to one service, if it is there; all others go to another. Both must always be
/// ready, as the services of tonic are.
#[derive(Clone, Debug)]
pub(crate) struct Fork<A, B> {
    pub(crate) prefix: &'static str,
    pub(crate) matching: Option<A>,
    pub(crate) others: B,
}

impl<A, B, R> Service<Request<R>> for Fork<A, B>
where
    A: Service<Request<R>, Response = Response<Body>, Error = Infallible>,
    B: Service<Request<R>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<A::Future, B::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        match self.matching.as_mut().map(|matching| matching.poll_ready(context)) {
            None | Some(Poll::Ready(Ok(()))) => self.others.poll_ready(context),
            Some(waiting) => waiting,
        }
    }

    fn call(&mut self, request: Request<R>) -> Self::Future {
        match &mut self.matching {
            Some(matching) if request.uri().path().starts_with(self.prefix) => Either::Left(matching.call(request)),
            Some(_) | None => Either::Right(self.others.call(request)),
        }
    }
}
