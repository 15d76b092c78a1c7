/* Byte encoding of the core's state: little-endian, fixed widths, bit-exact floats, explicit presence. A
 * reader checks every length against what is left; after the first violation all reads give zero and `failed`
 * stays set, so a decoder reads on and looks once.
 *
 * Sections make it additive: each has a tag and a length; a reader skips tags that it does not know and finds
 * defaults for those that are absent.
 */
#ifndef CORE_CODEC_H
#define CORE_CODEC_H

#include "base/base.h"
#include "base/buf.h"

struct codec_writer {
    struct buf *out;
};

void codec_u8(struct codec_writer *w, uint8_t v);
void codec_u16(struct codec_writer *w, uint16_t v);
void codec_u32(struct codec_writer *w, uint32_t v);
void codec_u64(struct codec_writer *w, uint64_t v);
void codec_i64(struct codec_writer *w, int64_t v);
void codec_f32(struct codec_writer *w, float v);
void codec_f64(struct codec_writer *w, double v);
void codec_f32s(struct codec_writer *w, const float *v, size_t n);
void codec_bytes(struct codec_writer *w, const void *data, size_t len); /* u32 length in front */

/* size_t at = codec_section(w, TAG); ... codec_section_end(w, at); */
size_t codec_section(struct codec_writer *w, uint16_t tag);
void codec_section_end(struct codec_writer *w, size_t at);

struct codec_reader {
    const uint8_t *data;
    size_t len;
    size_t pos;
    bool failed;
};

struct codec_reader codec_reader(const void *data, size_t len);
uint8_t codec_get_u8(struct codec_reader *r);
uint16_t codec_get_u16(struct codec_reader *r);
uint32_t codec_get_u32(struct codec_reader *r);
uint64_t codec_get_u64(struct codec_reader *r);
int64_t codec_get_i64(struct codec_reader *r);
float codec_get_f32(struct codec_reader *r);
double codec_get_f64(struct codec_reader *r);
double codec_get_finite(struct codec_reader *r);                            /* fails on NaN and infinities */
void codec_get_finite_f32s(struct codec_reader *r, float *ret_v, size_t n); /* likewise, with zeros */
/* Borrows from the input. NULL and failed when the length does not fit or exceeds `max`. */
const void *codec_get_bytes(struct codec_reader *r, size_t max, size_t *ret_len);
/* The next section as a reader of its own; false at the end (or on failure). */
bool codec_get_section(struct codec_reader *r, uint16_t *ret_tag, struct codec_reader *ret_section);
bool codec_done(const struct codec_reader *r); /* all read, nothing failed */

/* CRC-32C over the encoding; stands in front of it in a checkpoint. */
uint32_t codec_crc32c(const void *data, size_t len);

#endif
