// The changes of a block of pixels, for one instruction set. color.cpp includes this file once for each instruction set,
// in a namespace, with the attribute TARGET of its functions. Hence there is no include guard.

// Round and clip to 0 to 255, as a level.
TARGET inline float level(float value) { return std::min(std::max(std::rint(value), 0.0f), 255.0f); }

TARGET inline float luma(float red, float green, float blue) { return 0.299f * red + 0.587f * green + 0.114f * blue; }

TARGET void scale(Block& block, float factor, float offset) {
    for (uint32_t c = 0; c < block.channels; ++c)
        for (uint32_t i = 0; i < kBlock; ++i) block.values[c][i] = level(block.values[c][i] * factor + offset);
}

TARGET void add(Block& block, const float shift[3]) {
    for (uint32_t c = 0; c < block.channels; ++c)
        for (uint32_t i = 0; i < kBlock; ++i) block.values[c][i] = level(block.values[c][i] + shift[c]);
}

TARGET void saturate(Block& block, float factor, float rest) {
    float *red = block.values[0], *green = block.values[1], *blue = block.values[2];
    for (uint32_t i = 0; i < kBlock; ++i) {
        const float gray = luma(red[i], green[i], blue[i]) * rest;
        red[i] = level(red[i] * factor + gray);
        green[i] = level(green[i] * factor + gray);
        blue[i] = level(blue[i] * factor + gray);
    }
}

TARGET void make_gray(Block& block) {
    float *red = block.values[0], *green = block.values[1], *blue = block.values[2];
    for (uint32_t i = 0; i < kBlock; ++i) red[i] = green[i] = blue[i] = level(luma(red[i], green[i], blue[i]));
}

TARGET void mix(Block& block, const float m[3][3]) {
    float *red = block.values[0], *green = block.values[1], *blue = block.values[2];
    for (uint32_t i = 0; i < kBlock; ++i) {
        const float r = red[i], g = green[i], b = blue[i];
        red[i] = level(r * m[0][0] + g * m[0][1] + b * m[0][2]);
        green[i] = level(r * m[1][0] + g * m[1][1] + b * m[1][2]);
        blue[i] = level(r * m[2][0] + g * m[2][1] + b * m[2][2]);
    }
}

// k modulo 12, for -24 <= k < 36. Both differences are exact where the remainder is.
TARGET inline float modulo_12(float k) {
    k = k >= 24 ? k - 24 : k;
    k = k >= 12 ? k - 12 : k;
    k = k < -12 ? k + 12 : k;
    return k < 0 ? k + 12 : k;
}

TARGET inline float channel_of(float n, float hue, float amplitude, float lightness) {
    const float k = modulo_12(n + hue / 15.0f);
    const float wave = std::max(-1.0f, std::min(std::min(k - 3.0f, 9.0f - k), 1.0f));
    return level((lightness - amplitude * wave) * 255.0f);
}

TARGET void shift_hsl(Block& block, const float shift[3]) {
    float *red = block.values[0], *green = block.values[1], *blue = block.values[2];
    const float saturation_shift = shift[1] / 255.0f, lightness_shift = shift[2] / 255.0f;
    for (uint32_t i = 0; i < kBlock; ++i) {
        const float r = red[i] / 255.0f, g = green[i] / 255.0f, b = blue[i] / 255.0f;
        const float most = std::max(std::max(r, g), b), least = std::min(std::min(r, g), b), spread = most - least;
        const bool is_gray = spread == 0;
        const float divisor = is_gray ? 1.0f : spread;
        const float from_red = (g - b) / divisor * 30.0f, from_green = (b - r) / divisor * 30.0f + 60.0f,
                    from_blue = (r - g) / divisor * 30.0f + 120.0f;
        const float hue = (most == r ? from_red : most == g ? from_green : from_blue) + shift[0];
        const float largest = is_gray ? 1.0f : 1.0f - std::abs(most + least - 1.0f);
        const float saturation = std::min(std::max(spread / largest + saturation_shift, 0.0f), 1.0f);
        const float lightness = std::min(std::max((most + least) / 2.0f + lightness_shift, 0.0f), 1.0f);
        const float amplitude = saturation * std::min(lightness, 1.0f - lightness);
        red[i] = channel_of(0, hue, amplitude, lightness);
        green[i] = channel_of(8, hue, amplitude, lightness);
        blue[i] = channel_of(4, hue, amplitude, lightness);
    }
}

// The values of pixels by channel, and back. The number of channels is known when this is compiled, because the compiler
// makes shuffles of such loops.
template <uint32_t channels>
TARGET void read(const uint8_t* pixels, uint32_t n, Block& block) {
    for (uint32_t i = 0; i < n; ++i)
        for (uint32_t c = 0; c < std::min(channels, 3u); ++c) block.levels[c][i] = pixels[i * channels + c];
    for (uint32_t c = 0; c < block.channels; ++c)
        for (uint32_t i = 0; i < kBlock; ++i) block.values[c][i] = block.levels[c][i];
}

template <uint32_t channels>
TARGET void write(Block& block, uint32_t n, uint8_t* pixels) {
    for (uint32_t c = 0; c < block.channels; ++c)
        for (uint32_t i = 0; i < kBlock; ++i)
            block.levels[c][i] = static_cast<uint8_t>(static_cast<int>(block.values[c][i]));
    for (uint32_t i = 0; i < n; ++i)
        for (uint32_t c = 0; c < std::min(channels, 3u); ++c) pixels[i * channels + c] = block.levels[c][i];
}

TARGET void change(Block& block, const ColorChange& change, float offset) {
    const auto factor = static_cast<float>(change.factor);
    switch (change.kind) {
        case ColorChange::Kind::scale: return scale(block, factor, 0);
        case ColorChange::Kind::contrast: return scale(block, factor, offset);
        case ColorChange::Kind::saturate: return saturate(block, factor, static_cast<float>(1 - change.factor));
        case ColorChange::Kind::mix: return mix(block, change.matrix);
        case ColorChange::Kind::hsl: return shift_hsl(block, change.shift);
        case ColorChange::Kind::add: return add(block, change.shift);
        case ColorChange::Kind::gray: return make_gray(block);
        case ColorChange::Kind::paint: return;
    }
}

template <uint32_t channels>
TARGET void run_pass(const ColorJob& job) {
    Block block;
    block.channels = std::min(channels, 3u);
    const size_t n_pixels = size_t(job.image.width) * job.image.height;
    for (size_t begin = 0; begin < n_pixels; begin += kBlock) {
        const auto n = static_cast<uint32_t>(std::min<size_t>(kBlock, n_pixels - begin));
        uint8_t* const pixels = job.image.pixels.data() + begin * channels;
        read<channels>(pixels, n, block);
        for (const ColorChange* each = job.begin; each != job.end; ++each) change(block, *each, job.offset);
        write<channels>(block, n, pixels);
    }
}

TARGET void run(const ColorJob& job) {
    switch (job.image.channels) {
        case 1: return run_pass<1>(job);
        case 3: return run_pass<3>(job);
        default: return run_pass<4>(job);
    }
}
