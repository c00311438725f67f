//! gRPC reflection: tells tools such as grpcurl what services there are. An option, and for known callers only.

mod schema;

use tonic_reflection::server::Builder;
pub(super) use tonic_reflection::server::Error;
use tonic_reflection::server::v1::{ServerReflection as V1, ServerReflectionServer as V1Server};
use tonic_reflection::server::v1alpha::{ServerReflection as V1Alpha, ServerReflectionServer as V1AlphaServer};

use super::Fork;

/// Calls that belong here, of either version of the protocol.
pub(super) const PREFIX: &str = "/grpc.reflection.";

const V1_PREFIX: &str = "/grpc.reflection.v1.";

/// The reflection services of both versions: older tools know the first only.
pub(super) fn services() -> Result<Fork<V1Server<impl V1>, V1AlphaServer<impl V1Alpha>>, Error> {
    let builder = || {
        Builder::configure()
            .register_file_descriptor_set(schema::files())
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    Ok(Fork {
        prefix: V1_PREFIX,
        matching: Some(builder().build_v1()?),
        others: builder().build_v1alpha()?,
    })
}
