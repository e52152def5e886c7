package eu.panosc.login;

import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.keycloak.models.ClientModel;
import org.keycloak.models.ClientScopeModel;
import org.keycloak.models.ClientSessionContext;
import org.keycloak.models.GroupModel;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.ProtocolMapperModel;
import org.keycloak.models.UserSessionModel;
import org.keycloak.protocol.oidc.mappers.OIDCAttributeMapperHelper;
import org.keycloak.provider.ProviderConfigProperty;
import org.keycloak.representations.IDToken;

/**
 * Says which groups somebody is in, as AARC-G069 has it:
 * {@code urn:<namespace>:group:<group>[:<subgroup>]*[:role=<role>]#<authority>}. The tree of groups has the
 * very words: a group called {@code role=admin} is the role {@code admin} in the group above it.
 */
public final class EntitlementsMapper extends ClaimMapper {

    public static final String ID = "panosc-entitlements";
    static final String NAMESPACE = "namespace";
    static final String AUTHORITY = "authority";
    static final String AUDIENCE_PREFIX = "audience.prefix";

    /** Group of those who administer all facilities. */
    private static final String FEDERATION = "federation";
    private static final String ROLE = "role=";
    private static final String UNRESERVED =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    private static final List<ProviderConfigProperty> PROPERTIES = properties();

    private static List<ProviderConfigProperty> properties() {
        List<ProviderConfigProperty> properties = new ArrayList<>();
        properties.add(text(NAMESPACE, "Namespace", "What stands between urn: and :group:."));
        properties.add(text(AUTHORITY, "Authority", "Host that vouches for the groups, after the #."));
        properties.add(text(AUDIENCE_PREFIX, "Audience prefix", "With scopes of this prefix, says the groups "
                + "that the rest of their names names, and " + FEDERATION + ", with all below; all if empty."));
        OIDCAttributeMapperHelper.addTokenClaimNameConfig(properties);
        OIDCAttributeMapperHelper.addIncludeInTokensConfig(properties, EntitlementsMapper.class);
        return List.copyOf(properties);
    }

    @Override
    public String getId() {
        return ID;
    }

    @Override
    public String getDisplayType() {
        return "Groups as entitlements";
    }

    @Override
    public String getHelpText() {
        return "Says which groups somebody is in, as AARC-G069 entitlements.";
    }

    @Override
    public List<ProviderConfigProperty> getConfigProperties() {
        return PROPERTIES;
    }

    @Override
    protected void setClaim(IDToken token, ProtocolMapperModel mapper, UserSessionModel session,
            KeycloakSession keycloak, ClientSessionContext context) {
        String before = "urn:" + mapper.getConfig().get(NAMESPACE) + ":group";
        String after = "#" + mapper.getConfig().get(AUTHORITY);
        Set<String> roots = roots(mapper.getConfig().get(AUDIENCE_PREFIX), context);
        List<String> entitlements = session.getUser().getGroupsStream()
                .filter(group -> roots.isEmpty() || roots.contains(root(group)))
                .map(group -> before + path(group) + after)
                .sorted()
                .toList();
        if (!entitlements.isEmpty()) {
            token.getOtherClaims().put(
                    mapper.getConfig().get(OIDCAttributeMapperHelper.TOKEN_CLAIM_NAME), entitlements);
        }
    }

    /** Outermost groups that a token of these scopes is about; none for all. */
    private static Set<String> roots(String prefix, ClientSessionContext context) {
        if (prefix == null || prefix.isEmpty()) {
            return Set.of();
        }
        // The client itself is among them.
        Set<String> roots = context.getClientScopesStream()
                .filter(scope -> !(scope instanceof ClientModel))
                .map(ClientScopeModel::getName)
                .filter(name -> name.startsWith(prefix))
                .map(name -> name.substring(prefix.length()))
                .collect(Collectors.toCollection(HashSet::new));
        if (!roots.isEmpty()) {
            roots.add(FEDERATION);
        }
        return roots;
    }

    private static String root(GroupModel group) {
        GroupModel outermost = group;
        while (outermost.getParent() != null) {
            outermost = outermost.getParent();
        }
        return outermost.getName();
    }

    private static String path(GroupModel innermost) {
        Deque<String> names = new ArrayDeque<>();
        for (GroupModel group = innermost; group != null; group = group.getParent()) {
            boolean isRole = group == innermost && group.getParent() != null
                    && group.getName().startsWith(ROLE);
            names.addFirst(isRole ? ROLE + encoded(group.getName().substring(ROLE.length()))
                    : encoded(group.getName()));
        }
        return ":" + String.join(":", names);
    }

    /** The name as a component of a URN (RFC 8141): bytes of UTF-8, but the unreserved ones by their number. */
    private static String encoded(String name) {
        StringBuilder encoded = new StringBuilder();
        for (byte one : name.getBytes(StandardCharsets.UTF_8)) {
            if (UNRESERVED.indexOf(one) >= 0) {
                encoded.append((char) one);
            } else {
                encoded.append(String.format("%%%02X", one & 0xFF));
            }
        }
        return encoded.toString();
    }
}
