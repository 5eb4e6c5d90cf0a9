// Python bindings for loading batches; recordkit.loading.native calls them.
#include "module.hpp"

#include <pybind11/stl.h>

#include <algorithm>
#include <map>

#include "decode_bytes.hpp"
#include "load.hpp"
#include "module_limits.hpp"
#include "module_records.hpp"
#include "records.hpp"

namespace recordkit {
namespace {

Filter filter_of(const std::string& name) {
    if (name == "antialias") return Filter::antialias;
    if (name == "bilinear") return Filter::bilinear;
    throw py::value_error("expected antialias or bilinear, got " + name);
}

// A range if the description has one by this name, otherwise the fixed number.
Range range_of(const py::dict& description, const char* name, double fixed) {
    if (!description.contains(name)) return {fixed, fixed, false};
    const auto [low, high] = description[name].cast<std::pair<double, double>>();
    return {low, high, true};
}

Step::Kind kind_of_step(const std::string& name) {
    using Kind = Step::Kind;
    static const std::map<std::string, Kind> kinds{
        {"resize", Kind::resize},
        {"center_crop", Kind::center_crop},
        {"random_crop", Kind::random_crop},
        {"resized_crop", Kind::resized_crop},
        {"size_crop", Kind::size_crop},
        {"center_size_crop", Kind::center_size_crop},
        {"flip", Kind::flip},
        {"pad", Kind::pad},
        {"warp", Kind::warp},
        {"brightness", Kind::brightness},
        {"contrast", Kind::contrast},
        {"saturation", Kind::saturation},
        {"hue", Kind::hue},
        {"hsl", Kind::hsl},
        {"lighting", Kind::lighting},
        {"gray", Kind::gray},
        {"cutout", Kind::cutout},
    };
    const auto kind = kinds.find(name);
    if (kind == kinds.end()) throw py::value_error("expected a kind of step, got " + name);
    return kind->second;
}

Step step_of(const py::dict& description) {
    Step step;
    step.kind = kind_of_step(description["kind"].cast<std::string>());
    step.number = description["number"].cast<uint32_t>();
    const auto get = [&](const char* name, auto& field) {
        if (description.contains(name)) field = description[name].cast<std::decay_t<decltype(field)>>();
    };
    get("height", step.height), get("width", step.width);
    get("low", step.low), get("high", step.high);
    get("ratio_low", step.ratio_low), get("ratio_high", step.ratio_high);
    get("side_low", step.side_low), get("side_high", step.side_high);
    get("limit", step.limits[0]), get("saturation", step.limits[1]), get("lightness", step.limits[2]);
    get("n", step.n);
    get("margin", step.margin), get("fill", step.fill), get("angles", step.angles);
    step.shear = range_of(description, "shear", 0);
    step.angle = range_of(description, "angle", 0);
    step.scale = range_of(description, "scale", 1);
    step.aspect = range_of(description, "aspect", 1);
    if (description.contains("filter")) step.filter = filter_of(description["filter"].cast<std::string>());
    check_step(step);
    return step;
}

// The memory of a writable, contiguous array of this size. The array owns it; the caller of the module keeps the array.
MutableSpan span_of_array(py::array& array, size_t n_bytes) {
    if (!(array.flags() & py::array::c_style) || static_cast<size_t>(array.nbytes()) != n_bytes)
        throw py::value_error("expected a contiguous array of " + std::to_string(n_bytes) + " bytes");
    return {static_cast<uint8_t*>(array.mutable_data()), n_bytes};  // throws if the array is read-only
}

// Move an image into an array, which then owns the pixels.
py::array_t<uint8_t> array_of(Image&& image) {
    auto* const owner = new Image(std::move(image));  // owned by `base`, which the array keeps
    const py::capsule base(owner, [](void* pointer) { delete static_cast<Image*>(pointer); });
    const std::vector<py::ssize_t> shape{owner->height, owner->width, owner->channels};
    return py::array_t<uint8_t>(shape, owner->pixels.data(), base);
}

// Encoded images in memory, and their positions in the epoch. Image i is the bytes bounds[i] to bounds[i + 1] - 1 of
// `data`.
struct Payloads {
    Column<uint8_t> data;
    Column<uint64_t> bounds, positions;
    uint32_t epoch;

    Payloads(Column<uint8_t> data_column, Column<uint64_t> bound_column, Column<uint64_t> position_column,
             uint32_t epoch_number)
        : data(std::move(data_column)), bounds(std::move(bound_column)), positions(std::move(position_column)),
          epoch(epoch_number) {
        if (bounds.size() != positions.size() + 1)
            throw py::value_error("expected a position for each image, and one bound more");
        for (py::ssize_t i = 0; i < positions.size(); ++i)
            if (bounds.data()[i] > bounds.data()[i + 1] || bounds.data()[i + 1] > static_cast<uint64_t>(data.size()))
                throw py::value_error("expected increasing bounds within the data");
    }
    size_t size() const { return static_cast<size_t>(positions.size()); }
    Span payload(size_t i) const {
        const uint64_t begin = bounds.data()[i];
        return {data.data() + begin, static_cast<size_t>(bounds.data()[i + 1] - begin)};
    }
};

class BatchLoader {
    // Return act(i, payload, position), which loads an image into row `i` of a batch. It is called without the GIL.
    auto fills(MutableSpan batch, const Budget& memory, uint32_t epoch) const {
        return [this, batch, &memory, epoch](size_t i, Span payload, uint64_t position) {
            const size_t sample_bytes = plan_.target.bytes();
            const Budget::Hold hold(memory, decode_bytes(payload, plan_.channels));
            load_image(payload, plan_, epoch, position, batch.sub(i * sample_bytes, sample_bytes));
        };
    }

    // Return act(i, payload, position), which gives an image to take(i, image). It is called without the GIL.
    auto hands_over(const py::function& take, const Budget& memory, uint32_t epoch) const {
        return [this, &take, &memory, epoch](size_t i, Span payload, uint64_t position) {
            const Budget::Hold hold(memory, 2 * decode_bytes(payload, plan_.channels));  // `make_image` copies
            Image image = make_image(payload, plan_, epoch, position);
            const py::gil_scoped_acquire with_gil;
            take(i, array_of(std::move(image)));
        };
    }

  public:
    explicit BatchLoader(LoadPlan plan) : plan_(std::move(plan)) {}

    // Fill the samples of a batch; return the indices of the samples that the reference engine has to load. For
    // `budget` and `stopped` see module_limits.hpp.
    py::array_t<int64_t> load(const Records& records, py::array data, py::array labels, py::object budget,
                              py::object stopped) const {
        const LabelRows label_rows(labels, records.size());
        const MutableSpan batch = span_of_array(data, records.size() * plan_.target.bytes());
        const Budget memory(std::move(budget));
        EarlyEnd early_end(std::move(stopped));
        return for_each_image(records, label_rows, memory, early_end, fills(batch, memory, records.epoch));
    }

    // Call take(index, image) for each image, of any size, for transforms in Python; return the indices of those that
    // the reference engine has to load. One image is in memory at a time.
    py::array_t<int64_t> images(const Records& records, py::array labels, const py::function& take, py::object budget,
                                py::object stopped) const {
        const Budget memory(std::move(budget));
        EarlyEnd early_end(std::move(stopped));
        const LabelRows label_rows(labels, records.size());
        return for_each_image(records, label_rows, memory, early_end, hands_over(take, memory, records.epoch));
    }

    // This is `load` for images in memory, which have no labels.
    py::array_t<int64_t> load_payloads(const Payloads& payloads, py::array data, py::object budget,
                                       py::object stopped) const {
        const MutableSpan batch = span_of_array(data, payloads.size() * plan_.target.bytes());
        const Budget memory(std::move(budget));
        EarlyEnd early_end(std::move(stopped));
        return for_each_payload(payloads, early_end, fills(batch, memory, payloads.epoch));
    }
    py::array_t<int64_t> payload_images(const Payloads& payloads, const py::function& take, py::object budget,
                                        py::object stopped) const {
        const Budget memory(std::move(budget));
        EarlyEnd early_end(std::move(stopped));
        return for_each_payload(payloads, early_end, hands_over(take, memory, payloads.epoch));
    }

  private:
    // Records whose first bytes are prefetched while one is decoded: waiting for memory takes as long as converting a
    // small image.
    static constexpr size_t kPrefetchRecords = 4;
    static constexpr uint64_t kShortRecordBytes = 4096;  // see are_short

    // The label array of a batch: float32, one row for each sample. Rows without columns take no labels.
    struct LabelRows {
        size_t n_labels;  // of one sample
        MutableSpan rows;

        LabelRows(py::array& labels, size_t n_samples)
            : n_labels(n_samples ? static_cast<size_t>(labels.nbytes()) / 4 / n_samples : 0),
              rows(span_of_array(labels, n_samples * n_labels * 4)) {}
        size_t row_bytes() const { return n_labels * 4; }
        uint8_t* row(size_t i) const { return rows.data + i * row_bytes(); }
    };

    // Call act(i, payload, position) for each image. Return the indices of those that the reference engine has to load.
    template <typename Act>
    static py::array_t<int64_t> for_each_payload(const Payloads& payloads, EarlyEnd& early_end, const Act& act) {
        const auto* const positions = payloads.positions.data();
        std::vector<int64_t> refused;
        {
            const py::gil_scoped_release without_gil;
            for (size_t i = 0; i < payloads.size() && !early_end.is_due(); ++i) {
                try {
                    act(i, payloads.payload(i), positions[i]);
                } catch (const std::runtime_error&) {  // Unsupported
                    refused.push_back(static_cast<int64_t>(i));
                }
            }
        }
        return column_of(std::move(refused));
    }

    // Copy the labels of every record and call act(i, payload, position). Return the indices of the records that the
    // reference engine has to load, because their bytes are damaged or not supported.
    template <typename Act>
    py::array_t<int64_t> for_each_image(const Records& records, const LabelRows& labels, const Budget& memory,
                                        EarlyEnd& early_end, const Act& act) const {
        const auto* file_numbers = records.file_numbers.data();
        const auto *offsets = records.offsets.data(), *ends = records.ends.data(),
                   *positions = records.positions.data();
        const size_t n = records.size();
        std::vector<int64_t> refused;
        if (n) {
            const py::gil_scoped_release without_gil;
            ThreadScratch scratch;
            RecordReader reader(*records.files[file_numbers[0]], scratch);
            if (are_short(offsets, ends, n))
                for (size_t i = 0; i < n; ++i) records.files[file_numbers[i]]->keep(memory.share());
            // The disk reads ahead while the first records are decoded.
            for (size_t i = 0; i < n; ++i) {
                const File& file = *records.files[file_numbers[i]];
                if (ends[i] > offsets[i] + kLongRecordBytes && !file.is_cached(ends[i] - 1))
                    file.will_need(offsets[i], ends[i]);
            }
            for (size_t i = 0; i < n && !early_end.is_due(); ++i) {
                if (i + kPrefetchRecords < n)
                    records.files[file_numbers[i + kPrefetchRecords]]->prefetch(offsets[i + kPrefetchRecords]);
                try {
                    reader.use(*records.files[file_numbers[i]]);
                    const Span record = reader.read(offsets[i], ends[i]).bytes;
                    records.check(i, record);
                    act(i, payload_of(record, labels, i), positions[i]);
                } catch (const std::runtime_error&) {  // Unsupported, FormatFault or SystemFault
                    refused.push_back(static_cast<int64_t>(i));
                }
            }
        }
        return column_of(std::move(refused));
    }

    // Tell whether records are so short that a system call for each takes more than a few percent of the time that
    // loading them takes.
    static bool are_short(const uint64_t* offsets, const uint64_t* ends, size_t n) {
        uint64_t n_bytes = 0;
        for (size_t i = 0; i < n; ++i) n_bytes += std::min(ends[i] - offsets[i], kLongRecordBytes);
        return n_bytes <= n * kShortRecordBytes;
    }

    // Copy the labels of a record to row `i`, unless the rows are empty, and return its payload.
    static Span payload_of(Span record, const LabelRows& labels, size_t i) {
        const RecordHeader header = read_header(record);
        if (!labels.n_labels) return header.payload;
        if (header.labels.size != labels.row_bytes()) throw Unsupported("another number of labels");
        std::memcpy(labels.row(i), header.labels.data, header.labels.size);
        return header.payload;
    }

    LoadPlan plan_;
};

BatchLoader make_loader(const py::list& steps, int channels, bool gray_only, bool scale_in_dct, uint64_t seed,
                        const std::string& dtype, bool planar, uint32_t height, uint32_t width,
                        const Column<float>& mean, const Column<float>& factor) {
    LoadPlan plan;
    for (const auto& step : steps) plan.steps.push_back(step_of(py::reinterpret_borrow<py::dict>(step)));
    plan.channels = channels;
    plan.gray_only = gray_only;
    plan.scale_in_dct = scale_in_dct;
    plan.seed = seed;
    Target& target = plan.target;
    target.type = dtype == "uint8"     ? ElementType::uint8
                  : dtype == "float16" ? ElementType::float16
                                       : ElementType::float32;
    target.planar = planar;
    target.height = height;
    target.width = width;
    target.channels = static_cast<uint32_t>(channels);
    if ((channels != 1 && channels != 3 && channels != 4) || mean.size() != channels || factor.size() != channels)
        throw py::value_error("expected 1, 3 or 4 channels, and a mean and a factor for each");
    check_size(width, height);
    std::copy_n(mean.data(), channels, target.mean);
    std::copy_n(factor.data(), channels, target.factor);
    return BatchLoader(std::move(plan));
}

}  // namespace

void bind_loading(py::module_& module) {
    py::class_<Records>(module, "Records")
        .def(py::init<const py::list&, Column<uint32_t>, Column<uint64_t>, Column<uint64_t>, Column<uint32_t>,
                      Column<uint64_t>, uint32_t>(),
             py::arg("files"), py::arg("file_numbers"), py::arg("offsets"), py::arg("ends"), py::arg("checksums"),
             py::arg("positions"), py::arg("epoch"));
    py::class_<Payloads>(module, "Payloads")
        .def(py::init<Column<uint8_t>, Column<uint64_t>, Column<uint64_t>, uint32_t>(), py::arg("data"),
             py::arg("bounds"), py::arg("positions"), py::arg("epoch"));
    py::class_<BatchLoader>(module, "BatchLoader")
        .def(py::init(&make_loader), py::kw_only(), py::arg("steps"), py::arg("channels"), py::arg("gray_only"),
             py::arg("scale_in_dct"), py::arg("seed"), py::arg("dtype"), py::arg("planar"), py::arg("height"),
             py::arg("width"), py::arg("mean"), py::arg("factor"))
        .def("load", &BatchLoader::load, py::arg("records"), py::arg("data"), py::arg("labels"), py::arg("budget"),
             py::arg("stopped"))
        .def("images", &BatchLoader::images, py::arg("records"), py::arg("labels"), py::arg("take"), py::arg("budget"),
             py::arg("stopped"))
        .def("load_payloads", &BatchLoader::load_payloads, py::arg("payloads"), py::arg("data"), py::arg("budget"),
             py::arg("stopped"))
        .def("payload_images", &BatchLoader::payload_images, py::arg("payloads"), py::arg("take"), py::arg("budget"),
             py::arg("stopped"));
}

}  // namespace recordkit
