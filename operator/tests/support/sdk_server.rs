//! A real server, made with the SDK as users make theirs, whose one function tells which replica ran it.

use std::process::ExitCode;
use std::sync::Arc;

use flexconnect_server::arrow::array::{RecordBatch, StringArray};
use flexconnect_server::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use flexconnect_server::{Call, FlexConnectFunction, FunctionError, Output, Server, async_trait, cli};

struct WhoAmI;

#[async_trait]
impl FlexConnectFunction for WhoAmI {
    fn name(&self) -> &'static str {
        "WhoAmI"
    }

    fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new("replica", DataType::Utf8, false)]))
    }

    async fn call(&self, _: Call) -> Result<Output, FunctionError> {
        let replica = std::env::var("POD_NAME")?;
        let column = Arc::new(StringArray::from(vec![replica]));
        let batch = RecordBatch::try_new(self.schema(), vec![column])?;
        Ok(Output::table(self.schema(), vec![batch]))
    }
}

fn main() -> ExitCode {
    cli::run(Server::builder().function(WhoAmI).build())
}
