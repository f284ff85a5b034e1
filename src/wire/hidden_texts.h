// What a document says to those who may look at an environment, but not be in it.
#pragma once

#include <string>

namespace skerry::wire {

// A document with a specification's fields (an environment, a creation request, a manifest) without what cloud_init
// says ({"hidden":true}) and without the values of its environment variables (each null), of a manifest's workload too:
// they hold passwords and keys. No request takes either for a wish. The same bytes when there are none; "{}" for what
// is no JSON object.
std::string without_secrets(std::string document);

}  // namespace skerry::wire
