// EXIF orientation, and conversion between numbers of channels, with the results of recordkit.codec.
#pragma once

#include "common.hpp"

namespace recordkit {

// Orientation (1 to 8) in a TIFF block, which is EXIF without its "Exif\0\0"; 1 if the block has none.
int exif_orientation(Span block);

// These say what an orientation does: the upright image has the columns of the stored one as rows, and the stored image has its
// columns or its rows in reverse order.
constexpr bool swaps_sides(int orientation) { return orientation >= 5; }
constexpr bool flips_columns(int orientation) {
    return orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
}
constexpr bool flips_rows(int orientation) {
    return orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
}

// Rotate and mirror an image that has this orientation, so that it is upright.
Image upright(Image image, int orientation);

// Convert 1, 3 or 4 channels to RGB (3), gray (1) or RGBA (4): gray is repeated, alpha is dropped or set to 255, and
// gray is 0.299 R + 0.587 G + 0.114 B.
Image to_channels(const ImageView& image, uint32_t channels);

}  // namespace recordkit
