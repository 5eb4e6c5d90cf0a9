// Python binding for statistics of images; recordkit.upkeep.look.native calls it.
#include "module.hpp"

#include <cstring>

#include "decode_bytes.hpp"
#include "load.hpp"
#include "measure.hpp"
#include "module_limits.hpp"
#include "module_records.hpp"
#include "records.hpp"

namespace recordkit {
namespace {

// Measure each record into a row of `facts`, int64 of shape (n, kMeasurementColumns); return the indices of those that
// the reference engine has to measure. For `budget` and `stopped` see module_limits.hpp.
py::array_t<int64_t> measure_records(const Records& records, py::array_t<int64_t, py::array::c_style> facts,
                                     py::object budget, py::object stopped) {
    const size_t n = records.size();
    if (static_cast<size_t>(facts.size()) != n * kMeasurementColumns)
        throw py::value_error("expected a row of facts for each record");
    int64_t* const rows = facts.mutable_data();  // owned by the array, which the caller keeps
    const Budget memory(std::move(budget));
    EarlyEnd early_end(std::move(stopped));
    std::vector<int64_t> refused;
    if (n) {
        const py::gil_scoped_release without_gil;
        const auto* file_numbers = records.file_numbers.data();
        const auto *offsets = records.offsets.data(), *ends = records.ends.data();
        ThreadScratch scratch;
        RecordReader reader(*records.files[file_numbers[0]], scratch);
        for (size_t i = 0; i < n && !early_end.is_due(); ++i) {
            try {
                reader.use(*records.files[file_numbers[i]]);
                const Span record = reader.read(offsets[i], ends[i]).bytes;
                records.check(i, record);
                const Span payload = read_header(record).payload;
                const Budget::Hold hold(memory, decode_bytes(payload, 3));
                const Measurement measured = measure(payload);
                std::memcpy(rows + i * kMeasurementColumns, &measured, sizeof measured);
            } catch (const std::runtime_error&) {  // Unsupported, FormatFault or SystemFault
                refused.push_back(static_cast<int64_t>(i));
            }
        }
    }
    return column_of(std::move(refused));
}

}  // namespace

void bind_measuring(py::module_& module) {
    module.def("measure_records", &measure_records, py::arg("records"), py::arg("facts").noconvert(), py::arg("budget"),
               py::arg("stopped"));
}

}  // namespace recordkit
