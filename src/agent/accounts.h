// The accounts of the guest: base/accounts.h, which the container driver uses for the same purpose.
#pragma once

#include "base/accounts.h"
