//! What is for sale: products, categories, pictures, import and export.
