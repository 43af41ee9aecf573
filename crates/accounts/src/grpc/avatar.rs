//! `AvatarService` on the wire.

use souk_proto::accounts::v1 as pb;
use souk_proto::accounts::v1::avatar_service_server::AvatarService;
use souk_rpc::caller;
use souk_values::UserId;
use tonic::{Request, Response, Status};

use super::{Door, status};
use crate::Error;
use crate::app::avatar as app;
use crate::domain::avatar as rules;
use crate::store::avatar::Model;

type Answer<T> = Result<Response<T>, Status>;

/// A picture with what is around it.
pub(super) const MAX_MESSAGE: usize = souk_pictures::MAX_BYTES + 64 * 1024;

#[tonic::async_trait]
impl AvatarService for Door {
    async fn list_avatars(
        &self,
        _request: Request<pb::ListAvatarsRequest>,
    ) -> Answer<pb::ListAvatarsResponse> {
        let names = rules::names().map(str::to_owned).collect();
        Ok(Response::new(pb::ListAvatarsResponse { names }))
    }

    async fn get_avatar_picture(
        &self,
        request: Request<pb::GetAvatarPictureRequest>,
    ) -> Answer<pb::AvatarPicture> {
        let picture = request.into_inner().picture;
        let app::Shown { content, media_type, ships } =
            app::shown(&self.app, &picture).await.map_err(status)?;
        Ok(Response::new(pb::AvatarPicture { content, content_type: media_type, ships }))
    }

    async fn get_my_avatar(&self, request: Request<pb::GetMyAvatarRequest>) -> Answer<pb::Avatar> {
        let found = app::own(&self.app, &caller(&request)).await.map_err(status)?;
        Ok(Response::new(found.map(to_proto).unwrap_or_default()))
    }

    async fn set_my_avatar(&self, request: Request<pb::SetMyAvatarRequest>) -> Answer<pb::Avatar> {
        let caller = caller(&request);
        let pb::SetMyAvatarRequest { avatar, content, expected_version } = request.into_inner();
        let wish = app::Wish { chosen: avatar, content };
        let set = app::set(&self.app, &caller, wish, expected_version).await.map_err(status)?;
        Ok(Response::new(to_proto(set)))
    }

    async fn remove_my_avatar(
        &self,
        request: Request<pb::RemoveMyAvatarRequest>,
    ) -> Answer<pb::Avatar> {
        let caller = caller(&request);
        let expected = request.into_inner().expected_version;
        let left = app::remove_own(&self.app, &caller, expected).await.map_err(status)?;
        Ok(Response::new(to_proto(left)))
    }

    async fn get_avatar(&self, request: Request<pb::GetAvatarRequest>) -> Answer<pb::Avatar> {
        let caller = caller(&request);
        let id = user_id(&request.into_inner().user_id).map_err(status)?;
        let found = app::of(&self.app, &caller, id).await.map_err(status)?;
        Ok(Response::new(found.map(to_proto).unwrap_or_default()))
    }

    async fn remove_avatar(&self, request: Request<pb::RemoveAvatarRequest>) -> Answer<pb::Avatar> {
        let caller = caller(&request);
        let id = user_id(&request.into_inner().user_id).map_err(status)?;
        let left = app::remove_of(&self.app, &caller, id).await.map_err(status)?;
        Ok(Response::new(to_proto(left)))
    }
}

/// What is no id names nobody.
fn user_id(text: &str) -> Result<UserId, Error> {
    text.parse().map_err(|_| Error::UserNotFound)
}

fn to_proto(row: Model) -> pb::Avatar {
    let chosen = row.chosen.unwrap_or_default();
    let shipped = (!chosen.is_empty()).then(|| rules::picture(&chosen));
    pb::Avatar {
        picture: row.picture.or(shipped).unwrap_or_default(),
        chosen,
        version: row.version.unsigned_abs(),
    }
}
