/*
 * The end of every unit test's main(): runs a suite with the verbosity of CK_VERBOSITY, frees it
 * and gives the exit status.
 */
#ifndef OXBOW_TESTS_SUITE_H
#define OXBOW_TESTS_SUITE_H

#include <check.h>
#include <stdlib.h>

static inline int suite_run(Suite *s)
{
    SRunner *r = srunner_create(s);
    int failed;

    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
