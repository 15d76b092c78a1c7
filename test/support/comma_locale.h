/* A locale with a decimal comma, made on the spot, because machines that have only C and POSIX hide what
 * depends on it. */
#ifndef TEST_SUPPORT_COMMA_LOCALE_H
#define TEST_SUPPORT_COMMA_LOCALE_H

/* The process uses it until comma_locale_end(). NULL on success, else why not. */
const char *comma_locale_begin(void);
void comma_locale_end(void);

#endif
