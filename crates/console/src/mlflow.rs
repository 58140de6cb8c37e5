//! The way to MLflow's own web client, or to having it.

use axum::{
    extract::State,
    response::{IntoResponse as _, Redirect, Response},
};
use maud::html;

use crate::{ConsoleState, page::Page};

/// MLflow's web client where it is served; else how to have it served.
pub(crate) async fn client(State(state): State<ConsoleState>) -> Response {
    if state.has_mlflow_ui {
        return Redirect::to("/").into_response();
    }
    let body = html! {
        h1 { "MLflow's web client" }
        p.lead { "It is not served here yet." }
        p {
            "Crosstie serves the one that the " code { "mlflow" } " package brings along: install it with "
            code { "pip install mlflow" } " into this project's virtual environment, and start with "
            code { "crosstie up --mlflow-ui auto" } ". It then has the address " code { "/" } ", and this console keeps "
            code { "/console" } "."
        }
    };
    Page::new("MLflow", "MLflow's web client", body).into_response()
}
