/* A plot as an SVG document: 960 wide, one panel below the other, legend, axes with ticks in UTC. No scripts, no fonts
 * of its own, so that it can be put into any document. */
#ifndef LAB_PLOT_SVG_H
#define LAB_PLOT_SVG_H

#include "lab/plot.h"

void plot_svg(const struct plot *p, struct buf *out);

/* Pieces for documents of other shapes (bars of a comparison). */
void svg_begin(struct buf *out, unsigned width, unsigned height, const char *title);
void svg_end(struct buf *out);
/* `text` is escaped; `anchor`: "start", "middle" or "end"; `class_`: a class of svg_begin()'s style: "title", "sub",
 * "tick", "label". */
void svg_text(struct buf *out, double x, double y, const char *anchor, const char *class_, const char *text);

#endif
