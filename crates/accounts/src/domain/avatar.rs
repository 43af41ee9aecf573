//! The pictures that ship with Souk, of which people may choose one.

/// Pixels a side of a picture of one's own.
pub(crate) const SIDE: u32 = 256;
/// Of the pictures that ship.
pub(crate) const MEDIA_TYPE: &str = "image/svg+xml";

/// What one of the set is called, and the picture.
const SET: [(&str, &[u8]); 12] = [
    ("bear", include_bytes!("../../data/avatars/bear.svg")),
    ("bee", include_bytes!("../../data/avatars/bee.svg")),
    ("cactus", include_bytes!("../../data/avatars/cactus.svg")),
    ("cat", include_bytes!("../../data/avatars/cat.svg")),
    ("comet", include_bytes!("../../data/avatars/comet.svg")),
    ("fox", include_bytes!("../../data/avatars/fox.svg")),
    ("frog", include_bytes!("../../data/avatars/frog.svg")),
    ("lantern", include_bytes!("../../data/avatars/lantern.svg")),
    ("owl", include_bytes!("../../data/avatars/owl.svg")),
    ("robot", include_bytes!("../../data/avatars/robot.svg")),
    ("teapot", include_bytes!("../../data/avatars/teapot.svg")),
    ("whale", include_bytes!("../../data/avatars/whale.svg")),
];

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    SET.iter().map(|(name, _)| *name)
}

/// The name of the set that is meant, in its own spelling.
pub(crate) fn find(name: &str) -> Option<&'static str> {
    names().find(|known| *known == name.trim())
}

/// What one of the set is called as a picture: `fox.svg`.
pub(crate) fn picture(name: &str) -> String {
    format!("{name}.svg")
}

/// The picture of that name; `None`: it is none of the set.
pub(crate) fn shipped(picture: &str) -> Option<&'static [u8]> {
    let name = picture.strip_suffix(".svg")?;
    SET.iter().find(|(known, _)| *known == name).map(|(_, content)| *content)
}

/// Whether an uploaded picture may be called so: 32 hexadecimal digits and an ending.
pub(crate) fn is_uploaded(picture: &str) -> bool {
    let Some((name, ending)) = picture.split_once('.') else { return false };
    let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    name.len() == 32 && name.bytes().all(digit) && ["png", "jpg"].contains(&ending)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_its_picture_and_nothing_else_has() {
        let sorted: Vec<_> = names().collect();
        assert!(sorted.is_sorted());
        for name in sorted {
            assert_eq!(find(&format!(" {name} ")), Some(name));
            let content = std::str::from_utf8(shipped(&picture(name)).unwrap()).unwrap();
            assert!(content.starts_with("<svg ") && content.len() < 4096, "{name}");
            for active in ["<script", "on", "href", "http:", "style"] {
                let plain = content.replace("http://www.w3.org/2000/svg", "");
                assert!(!plain.contains(&format!(" {active}")) && !plain.contains("<script"));
            }
        }
        for wrong in ["", "Fox", "fox.svg", "../fox", "dragon"] {
            assert_eq!(find(wrong), None, "{wrong}");
        }
        for wrong in ["", "fox", "fox.png", "../fox.svg", "dragon.svg"] {
            assert!(shipped(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn an_uploaded_picture_has_a_name_of_ours() {
        let name = "0123456789abcdef".repeat(2);
        assert!(is_uploaded(&format!("{name}.png")) && is_uploaded(&format!("{name}.jpg")));
        for wrong in ["", "x.png", &name, &format!("{name}.svg"), &format!("{name}.png/..")] {
            assert!(!is_uploaded(wrong), "{wrong}");
        }
        assert!(!is_uploaded(&format!("{}.png", name.to_uppercase())));
    }
}
