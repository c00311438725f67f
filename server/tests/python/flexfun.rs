//! Functions of `gooddata-flexfun`, served as those of `FlexConnect` are, in an environment that has nothing newer.

use arrow_flight::{Criteria, FlightDescriptor};

use super::harness::{connect, read, rows};
use super::started::{Started, environment};

#[tokio::test(flavor = "multi_thread")]
async fn functions_of_flexfun_are_listed_called_and_read() {
    let server = Started::of("gooddata_flexfun", &environment("flexfun"), "[old]\nregion = 'EMEA'\n");
    server.has_workers(2);
    let mut client = connect(server.address).await;
    let mut flights = client.list_flights(Criteria::default()).await.unwrap().into_inner();
    let listed = flights.message().await.unwrap().expect("a function");
    let command: serde_json::Value = serde_json::from_slice(&listed.flight_descriptor.unwrap().cmd).unwrap();
    assert_eq!(
        command,
        serde_json::json!({"functionName": "Old", "metadata": {"description": "from before"}})
    );
    assert!(flights.message().await.unwrap().is_none());

    for parameters in [r#"{"rows": 5}"#, r#"{"rows": 5, "stream": true}"#] {
        let command = format!(r#"{{"functionName": "Old", "parameters": {parameters}}}"#);
        let info = client
            .get_flight_info(FlightDescriptor::new_cmd(command))
            .await
            .unwrap()
            .into_inner();
        let batches = read(&mut client, &info).await.unwrap();
        assert_eq!(rows(&batches), 5);
        let regions = batches[0].column(1).to_data();
        assert_eq!(
            regions.buffers()[1].as_slice(),
            b"EMEAEMEAEMEAEMEAEMEA",
            "on_load read its setting"
        );
    }
    let command = r#"{"functionName": "Old", "parameters": {"wrong": true}}"#;
    let error = client
        .get_flight_info(FlightDescriptor::new_cmd(command))
        .await
        .unwrap_err();
    assert!(error.message().contains("there is no such region"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_module_itself_is_what_the_vendors_server_would_load() {
    let folder = tempfile::tempdir().unwrap();
    let port = super::harness::free_port();
    let toml = format!("[flexfun]\nfunctions = ['flexfuns']\n[server]\nlisten_port = {port}\n");
    let mut command = super::started::command(&toml, folder.path());
    command.args(["start", "--methods-provider", "gooddata_flexfun", "--config"]);
    let output = command.arg(folder.path().join("server.toml")).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let last = text.lines().last().unwrap();
    assert!(
        last.starts_with("error: gooddata-flexfun is not installed in the Python"),
        "{text}"
    );
    assert!(
        last.contains("-m pip install --upgrade 'pyarrow>=16.1.0' 'gooddata-flexfun>=1.30.0'"),
        "{text}"
    );
}
