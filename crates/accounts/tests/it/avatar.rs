//! Small pictures of people: chosen, uploaded, refused, taken away.

use std::io::Cursor;

use chrono::TimeDelta;
use futures::future::join_all;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use souk_proto::accounts::v1::avatar_service_client::AvatarServiceClient;
use souk_proto::accounts::v1::{
    Avatar, AvatarPicture, GetAvatarPictureRequest, GetAvatarRequest, GetMyAvatarRequest,
    ListAvatarsRequest, RemoveAvatarRequest, RemoveMyAvatarRequest, SetMyAvatarRequest, UserFields,
};
use souk_rpc::{Failure, Kind, Transport};

use crate::house::{House, answer, answer_as};
use crate::people::{broken_fields, refusal};

crate::on_both! {
    one_of_the_set_is_chosen_and_seen
    s56_an_uploaded_picture_is_made_anew_and_seen_by_everybody
    s56_what_is_no_picture_or_too_large_is_refused_and_changes_nothing
    an_old_version_of_an_avatar_is_refused
    of_many_who_write_over_one_version_one_succeeds
    what_was_replaced_or_taken_away_is_nowhere
    an_avatar_goes_with_its_account
    staff_take_away_what_nobody_should_see
    only_who_is_logged_in_has_an_avatar
}

/// The left third red, the rest blue.
fn drawn(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let color = |x, _| if x < width / 3 { Rgb([200, 20, 20]) } else { Rgb([20, 20, 200]) };
    let picture = DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, color));
    let mut content = Vec::new();
    picture.write_to(&mut Cursor::new(&mut content), format).unwrap();
    content
}

impl House {
    fn avatars(&self) -> AvatarServiceClient<Transport> {
        AvatarServiceClient::new(self.from("gateway")).max_encoding_message_size(6 * 1024 * 1024)
    }

    async fn set_avatar(
        &self,
        token: &str,
        request: SetMyAvatarRequest,
    ) -> Result<Avatar, Failure> {
        answer_as(token, self.avatars().set_my_avatar(request)).await
    }

    async fn choose(&self, token: &str, avatar: &str) -> Result<Avatar, Failure> {
        let request = SetMyAvatarRequest { avatar: avatar.to_owned(), ..Default::default() };
        self.set_avatar(token, request).await
    }

    async fn upload(&self, token: &str, content: Vec<u8>) -> Result<Avatar, Failure> {
        self.set_avatar(token, SetMyAvatarRequest { content, ..Default::default() }).await
    }

    async fn avatar(&self, token: &str) -> Result<Avatar, Failure> {
        answer_as(token, self.avatars().get_my_avatar(GetMyAvatarRequest {})).await
    }

    async fn look(&self, picture: &str) -> Result<AvatarPicture, Failure> {
        let request = GetAvatarPictureRequest { picture: picture.to_owned() };
        answer(self.avatars().get_avatar_picture(request)).await
    }
}

async fn one_of_the_set_is_chosen_and_seen(house: &House) {
    house.person("ann").await;
    let token = house.token("ann").await;
    assert_eq!(house.avatar(&token).await.unwrap(), Avatar::default());
    let set = answer(house.avatars().list_avatars(ListAvatarsRequest {})).await.unwrap().names;
    assert_eq!(set.len(), 12);
    for name in &set {
        let picture = house.look(&format!("{name}.svg")).await.unwrap();
        assert_eq!((picture.content_type.as_str(), picture.ships), ("image/svg+xml", true));
        assert!(picture.content.starts_with(b"<svg "), "{name}");
    }
    let chosen = house.choose(&token, "fox").await.unwrap();
    let expected = Avatar { chosen: "fox".into(), picture: "fox.svg".into(), version: 1 };
    assert_eq!(chosen, expected);
    assert_eq!(house.avatar(&token).await.unwrap(), expected);
    // the same again is no change
    assert_eq!(house.choose(&token, "fox").await.unwrap(), expected);
    assert_eq!(house.choose(&token, "owl").await.unwrap().version, 2);
    for wrong in ["", "dragon", "fox.svg", "../fox"] {
        let refused = house.choose(&token, wrong).await.unwrap_err();
        assert_eq!((refused.kind, broken_fields(&refused)), (Kind::Invalid, vec!["avatar"]));
    }
    let both = SetMyAvatarRequest {
        avatar: "fox".into(),
        content: drawn(8, 8, ImageFormat::Png),
        expected_version: None,
    };
    assert_eq!(broken_fields(&house.set_avatar(&token, both).await.unwrap_err()), ["avatar"]);
    assert_eq!(house.avatar(&token).await.unwrap().version, 2);
}

async fn s56_an_uploaded_picture_is_made_anew_and_seen_by_everybody(house: &House) {
    house.person("ann").await;
    let token = house.token("ann").await;
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
        let sent = [drawn(600, 300, format), b"<script>1</script>".to_vec()].concat();
        let set = house.upload(&token, sent.clone()).await.unwrap();
        assert_eq!(set.chosen, "");
        let seen = house.look(&set.picture).await.unwrap();
        assert_eq!((seen.content_type.as_str(), seen.ships), ("image/jpeg", false));
        assert!(set.picture.ends_with(".jpg") && set.picture.len() == 36, "{}", set.picture);
        let picture = image::load_from_memory(&seen.content).unwrap();
        assert_eq!((picture.width(), picture.height()), (256, 256), "{format:?}");
        assert!(!seen.content.windows(7).any(|w| w == b"<script") && seen.content.len() < 65_536);
        // the name tells nothing of the content
        let again = house.upload(&token, sent).await.unwrap();
        assert_ne!(again.picture, set.picture);
        assert_eq!(again.version, set.version + 1);
    }
}

async fn s56_what_is_no_picture_or_too_large_is_refused_and_changes_nothing(house: &House) {
    house.person("ann").await;
    let token = house.token("ann").await;
    let kept = house.choose(&token, "bee").await.unwrap();
    let mut fat = drawn(8, 8, ImageFormat::Png);
    fat.resize(5 * 1024 * 1024 + 1, 0);
    let mut torn = drawn(64, 64, ImageFormat::Png);
    torn.truncate(60);
    for (content, reason) in [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec(), "not_a_picture"),
        (b"%PDF-1.7".to_vec(), "not_a_picture"),
        (fat, "picture_too_large"),
        // 60,000 × 60,000 in a head, and nothing behind it
        (
            b"GIF89a\x60\xea\x60\xea\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x60\xea\x60\xea\0\x02\x02D\x01\0;"
                .to_vec(),
            "picture_too_large",
        ),
        (torn, "invalid_fields"),
    ] {
        let refused = house.upload(&token, content).await.unwrap_err();
        assert_eq!((refused.kind, refused.reason.as_str()), (Kind::Invalid, reason));
        assert_eq!(broken_fields(&refused), ["file"]);
    }
    assert_eq!(house.avatar(&token).await.unwrap(), kept);
}

async fn an_old_version_of_an_avatar_is_refused(house: &House) {
    house.person("ann").await;
    let token = house.token("ann").await;
    let at = |version, avatar: &str| SetMyAvatarRequest {
        avatar: avatar.to_owned(),
        expected_version: Some(version),
        ..Default::default()
    };
    assert_eq!(house.set_avatar(&token, at(0, "cat")).await.unwrap().version, 1);
    let stale = house.set_avatar(&token, at(0, "owl")).await.unwrap_err();
    assert_eq!((stale.kind, stale.reason.as_str()), (Kind::Stale, "stale_version"));
    assert_eq!(stale.metadata.get("current_version").unwrap(), "1");
    let remove = |version| RemoveMyAvatarRequest { expected_version: version };
    let early = answer_as(&token, house.avatars().remove_my_avatar(remove(Some(0)))).await;
    assert_eq!(refusal(early).1, "stale_version");
    let gone = answer_as(&token, house.avatars().remove_my_avatar(remove(Some(1)))).await.unwrap();
    assert_eq!(gone, Avatar { version: 2, ..Avatar::default() });
    // nothing left to take away
    let again = answer_as(&token, house.avatars().remove_my_avatar(remove(None))).await.unwrap();
    assert_eq!(again.version, 2);
    assert_eq!(refusal(house.set_avatar(&token, at(1, "cat")).await).1, "stale_version");
    assert_eq!(house.set_avatar(&token, at(2, "cat")).await.unwrap().version, 3);
}

async fn of_many_who_write_over_one_version_one_succeeds(house: &House) {
    house.person("ann").await;
    let token = house.token("ann").await;
    let names = ["bear", "bee", "cat", "fox", "frog", "owl", "robot", "whale"];
    let writes = join_all(names.map(|name| {
        let request = SetMyAvatarRequest {
            avatar: name.to_owned(),
            expected_version: Some(0),
            ..Default::default()
        };
        house.set_avatar(&token, request)
    }));
    let (good, bad): (Vec<_>, Vec<_>) = writes.await.into_iter().partition(Result::is_ok);
    assert_eq!((good.len(), bad.len()), (1, 7));
    assert!(bad.into_iter().all(|refused| refusal(refused).1 == "stale_version"));
    assert_eq!(house.avatar(&token).await.unwrap().version, 1);
}

async fn what_was_replaced_or_taken_away_is_nowhere(house: &House) {
    house.person("ann").await;
    let token = house.token("ann").await;
    let first = house.upload(&token, drawn(40, 40, ImageFormat::Png)).await.unwrap();
    let second = house.upload(&token, drawn(50, 50, ImageFormat::Png)).await.unwrap();
    let missing = (Kind::NotFound, "avatar_not_found".to_owned());
    assert_eq!(refusal(house.look(&first.picture).await), missing);
    assert!(house.look(&second.picture).await.is_ok());
    house.choose(&token, "fox").await.unwrap();
    assert_eq!(refusal(house.look(&second.picture).await), missing);
    let left = "SELECT CAST(COUNT(content) AS TEXT) FROM avatar";
    assert_eq!(house.texts(left).await, ["0"]);
    for wrong in ["", "fox", "../fox.svg", "x.jpg", &format!("{}.jpg", "0".repeat(32))] {
        assert_eq!(refusal(house.look(wrong).await), missing, "{wrong}");
    }
}

async fn an_avatar_goes_with_its_account(house: &House) {
    let ann = house.person("ann").await;
    let token = house.token("ann").await;
    let set = house.upload(&token, drawn(40, 40, ImageFormat::Png)).await.unwrap();
    let hidden = UserFields { active: Some(false), ..Default::default() };
    house.update(&ann.id, hidden).await.unwrap();
    house.clock.advance(TimeDelta::seconds(1));
    house.delete_all_inactive().await;
    assert_eq!(refusal(house.look(&set.picture).await).1, "avatar_not_found");
    assert_eq!(house.texts("SELECT CAST(COUNT(*) AS TEXT) FROM avatar").await, ["0"]);
}

async fn staff_take_away_what_nobody_should_see(house: &House) {
    let ann = house.person("ann").await;
    let root = house.admin("root").await;
    let (token, admin) = (house.token("ann").await, house.token("root").await);
    let set = house.upload(&token, drawn(40, 40, ImageFormat::Png)).await.unwrap();
    let of = |user: &str| GetAvatarRequest { user_id: user.to_owned() };
    let without = |user: &str| RemoveAvatarRequest { user_id: user.to_owned() };
    for refused in [
        answer_as(&token, house.avatars().get_avatar(of(&root.id))).await,
        answer_as(&token, house.avatars().remove_avatar(without(&root.id))).await,
    ] {
        assert_eq!(refusal(refused).0, Kind::Forbidden);
    }
    let seen = answer_as(&admin, house.avatars().get_avatar(of(&ann.id))).await.unwrap();
    assert_eq!(seen, set);
    let left = answer_as(&admin, house.avatars().remove_avatar(without(&ann.id))).await.unwrap();
    assert_eq!(left, Avatar { version: 2, ..Avatar::default() });
    assert_eq!(refusal(house.look(&set.picture).await).1, "avatar_not_found");
    for nobody in ["", "usr_x", &souk_values::UserId::new().to_string()] {
        let refused = answer_as(&admin, house.avatars().remove_avatar(without(nobody))).await;
        assert_eq!(refusal(refused), (Kind::NotFound, "user_not_found".to_owned()));
    }
}

async fn only_who_is_logged_in_has_an_avatar(house: &House) {
    let nobody = answer(house.avatars().get_my_avatar(GetMyAvatarRequest {})).await;
    assert_eq!(refusal(nobody).0, Kind::Unauthenticated);
    let nobody = answer(house.avatars().set_my_avatar(SetMyAvatarRequest::default())).await;
    assert_eq!(refusal(nobody).0, Kind::Unauthenticated);
    let ann = house.person("ann").await;
    let token = house.token("ann").await;
    let mut stranger = AvatarServiceClient::new(house.from("catalog"));
    let refused = answer(stranger.list_avatars(ListAvatarsRequest {})).await;
    assert_eq!(refusal(refused).0, Kind::Forbidden);
    house.delete(&ann.id).await.unwrap();
    assert!(house.choose(&token, "fox").await.is_err());
}
