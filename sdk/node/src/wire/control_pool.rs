//! `PoolService` of the control side.
use super::control::{Control, respond};
use crate::pool::{self, OwnModel};
use hefu_core::{Code, Fault, JobId, ModelId};
use hefu_proto::control as proto;
use hefu_proto::control::pool_service_server::PoolService;
use tonic::{Request, Response, Status, async_trait};

#[async_trait]
impl PoolService for Control {
    async fn make_own_model(
        &self,
        request: Request<proto::MakeOwnModelRequest>,
    ) -> Result<Response<proto::MakeOwnModelResponse>, Status> {
        let asked = request.into_inner();
        let made = async {
            let job = JobId::parse(&asked.job).ok_or_else(|| Fault::new(Code::UnknownJob))?;
            let wanted = OwnModel {
                job,
                dataset: Some(asked.dataset).filter(|name| !name.is_empty()),
                pull: asked.pull,
                cutoff: Some(asked.cutoff).filter(|cutoff| *cutoff >= 0.0),
            };
            let part = pool::make_own(&self.0, wanted).await?;
            serde_json::to_string(&part).map_err(|_| Fault::new(Code::Internal))
        };
        respond(made.await.map(|model_json| proto::MakeOwnModelResponse { model_json }))
    }

    async fn score_own(
        &self,
        request: Request<proto::ScoreOwnRequest>,
    ) -> Result<Response<proto::ScoreOwnResponse>, Status> {
        let asked = request.into_inner();
        let scored = async {
            let model = ModelId::parse(&asked.model).ok_or_else(|| Fault::new(Code::UnknownModel))?;
            pool::score_own(&self.0, model, asked.dataset).await
        };
        respond(scored.await.map(|result_json| proto::ScoreOwnResponse { result_json }))
    }
}
