//! Pictures drawn for the tests, byte by byte where an encoder would refuse.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};

pub(crate) const RED: [u8; 3] = [200, 30, 30];
pub(crate) const BLUE: [u8; 3] = [30, 30, 200];

/// The left half red, the right half blue.
pub(crate) fn halves(width: u32, height: u32) -> DynamicImage {
    let color = |x, _| if x < width / 2 { Rgb(RED) } else { Rgb(BLUE) };
    DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, color))
}

/// Half of it shows through.
pub(crate) fn glass(width: u32, height: u32) -> DynamicImage {
    let color = |x, _| if x < width / 2 { Rgba([0, 90, 0, 255]) } else { Rgba([0, 0, 0, 0]) };
    DynamicImage::ImageRgba8(RgbaImage::from_fn(width, height, color))
}

pub(crate) fn written(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut content = Vec::new();
    picture.write_to(&mut Cursor::new(&mut content), format).unwrap();
    content
}

/// A chunk of a PNG.
fn chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [name.as_slice(), data].concat();
    let length = u32::try_from(data.len()).unwrap().to_be_bytes();
    [length.as_slice(), &body, &crc32fast::hash(&body).to_be_bytes()].concat()
}

/// A PNG that says it is so large and brings nearly no pixels along.
pub(crate) fn boasting_png(width: u32, height: u32) -> Vec<u8> {
    let head = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    let mut content = b"\x89PNG\r\n\x1a\n".to_vec();
    content.extend(chunk(b"IHDR", &head));
    // an empty deflate stream
    content.extend(chunk(b"IDAT", &[0x78, 0x9c, 0x03, 0x00, 0x00, 0x00, 0x00, 0x01]));
    content.extend(chunk(b"IEND", &[]));
    content
}

/// The same picture with a comment inside.
pub(crate) fn with_text(png: &[u8], text: &str) -> Vec<u8> {
    // behind the signature and IHDR
    let (head, rest) = png.split_at(8 + 25);
    let data = [b"Comment\0".as_slice(), text.as_bytes()].concat();
    [head, &chunk(b"tEXt", &data), rest].concat()
}

/// The same JPEG with EXIF that asks for this orientation and tells this camera.
pub(crate) fn with_exif(jpeg: &[u8], orientation: u8, camera: &str) -> Vec<u8> {
    let camera = [camera.as_bytes(), b"\0"].concat();
    let count = u32::try_from(camera.len()).unwrap();
    let mut tiff = b"MM\0\x2a\0\0\0\x08\0\x02".to_vec();
    // make: text behind the directory
    tiff.extend([0x01, 0x0f, 0, 2]);
    tiff.extend(count.to_be_bytes());
    tiff.extend(38_u32.to_be_bytes());
    // orientation: one short
    tiff.extend([0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0]);
    tiff.extend([0, 0, 0, 0]);
    assert_eq!(tiff.len(), 38);
    tiff.extend(camera);
    let body = [b"Exif\0\0".as_slice(), &tiff].concat();
    let length = u16::try_from(body.len() + 2).unwrap().to_be_bytes();
    let (start, rest) = jpeg.split_at(2);
    [start, &[0xff, 0xe1], &length, &body, rest].concat()
}
