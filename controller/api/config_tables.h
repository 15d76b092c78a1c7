/* The parts of the operator's configuration that have files of their own. Private to controller/api. */
#ifndef API_CONFIG_TABLES_H
#define API_CONFIG_TABLES_H

#include "api/schema.h"

extern const struct schema_object config_advisor_schema, config_alertmanager_schema;

#endif
